"""Limits that a machine with several nodes needs."""

from pathlib import Path

from e2e.cluster import kernel


def test_limits_are_widened_and_never_narrowed(tmp_path: Path) -> None:
    (tmp_path / "max_user_instances").write_text("128\n")
    (tmp_path / "max_user_watches").write_text("1048576\n")
    kernel.widen(tmp_path)
    assert (tmp_path / "max_user_instances").read_text() == "1024"
    assert (tmp_path / "max_user_watches").read_text() == "1048576\n"


def test_a_system_without_such_limits_is_left_alone(tmp_path: Path) -> None:
    kernel.widen(tmp_path)
    assert list(tmp_path.iterdir()) == []
