// What the states and events of an order mean to a customer.

const STATES = {
  RESERVING: { text: "Setting your pieces aside", tone: "going", step: 1 },
  CHARGING: { text: "Waiting for the bank", tone: "going", step: 2 },
  PAYMENT_ACTION: { text: "Your bank wants a word", tone: "asks", step: 2 },
  CONFIRMED: { text: "Paid and confirmed", tone: "going", step: 3 },
  COMPLETED: { text: "All done, it is yours", tone: "good", step: 4 },
  VOIDING: { text: "Cancelling the payment", tone: "going", step: 0 },
  RELEASING: { text: "Putting the pieces back", tone: "going", step: 0 },
  CANCELLED: { text: "Order cancelled", tone: "bad", step: 0 },
  REJECTED: { text: "Out of stock", tone: "bad", step: 0 },
};

const EVENTS = {
  PLACED: ["Order placed", "list"],
  StockReserved: ["Pieces set aside for you", "box"],
  StockRejected: ["Not enough in stock", "cross"],
  Charged: ["Payment received", "card"],
  Declined: ["The bank declined the payment", "cross"],
  ActionRequired: ["The bank asks you to confirm", "lock"],
  ChargeCancelled: ["Payment cancelled", "undo"],
  StockReleased: ["Pieces put back on the shelf", "undo"],
  StockCommitted: ["Pieces taken from the shelf", "box"],
  CancelRequested: ["You asked to cancel", "cross"],
  Deadline: ["It took too long, so we cancel", "clock"],
};

const REASONS = {
  declined: "The bank declined the payment. You were not charged, and everything is back in your cart.",
  customer: "You cancelled this order. Nothing is charged, and everything is back in your cart.",
  deadline: "The payment did not go through in time. You are not charged, and everything is back in your cart.",
};

export const STEPS = ["Placed", "Set aside", "Paid", "Confirmed", "Yours"];

export const FINAL = new Set(["COMPLETED", "CANCELLED", "REJECTED"]);
export const CANCELLABLE = new Set(["RESERVING", "CHARGING", "PAYMENT_ACTION"]);

export const state = (name) => STATES[name] ?? { text: name, tone: "going", step: 0 };

export function event(name) {
  const [text, symbol] = EVENTS[name] ?? [name, "clock"];
  return { text, symbol };
}

/** Codes of the services, such as card_declined, as words. */
export const words = (detail) => detail.replaceAll(/[_-]/g, " ");

export function reason({ state: name, cancel_reason: why }) {
  if (name === "REJECTED") return "Someone was quicker: one of the pieces is no longer in stock. You are not charged, and everything is back in your cart.";
  if (name !== "CANCELLED") return null;
  return REASONS[why] ?? "Nothing is charged, and everything is back in your cart.";
}
