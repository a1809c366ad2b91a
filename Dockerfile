# The operator. uv installs exactly what uv.lock says; the image itself has no build tools.
ARG PYTHON=python:3.13-slim
# Such as @sha256:..., to pin more than the tag.
ARG PYTHON_DIGEST=""

FROM ${PYTHON}${PYTHON_DIGEST} AS build
ARG UV=0.13.9
RUN python -m pip install --no-cache-dir --root-user-action=ignore uv==${UV}
ENV UV_PROJECT_ENVIRONMENT=/opt/operator \
    UV_PYTHON_DOWNLOADS=never \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1
WORKDIR /src
# Dependencies change less often than the source.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups --no-install-workspace --package microservice-operator
COPY README.md ./
COPY operator ./operator
RUN uv sync --frozen --no-default-groups --no-editable --package microservice-operator

FROM ${PYTHON}${PYTHON_DIGEST}
COPY --from=build /opt/operator /opt/operator
# One malloc arena: threads are few, and fragmentation would cost memory.
ENV PATH=/opt/operator/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=1
USER 10001:10001
EXPOSE 8080 9090
ENTRYPOINT ["/opt/operator/bin/microservice-operator"]
