// An order that was sent but not yet answered, so that a reload or a lost answer never makes a second one.

import { post } from "./api.js";
import { session } from "./session.js";

const STORE = "pending-order";

export function pending() {
  const text = sessionStorage.getItem(STORE);
  return text && JSON.parse(text);
}

/** The quote id is the idempotency key: the same quote can only ever become one order. */
export async function place(quote, paymentMethodId) {
  sessionStorage.setItem(STORE, JSON.stringify({ quote, paymentMethodId }));
  try {
    const order = await post("/orders", { quote: quote.quote, payment_method_id: paymentMethodId }, { key: quote.quote_id });
    sessionStorage.removeItem(STORE);
    return order;
  } catch (error) {
    if (isDefinite(error)) sessionStorage.removeItem(STORE);
    throw error;
  }
}

const isDefinite = ({ status, slug }) => status >= 400 && status < 500 && status !== 401 && slug !== "in-progress";

session.onchange((user) => user || sessionStorage.removeItem(STORE));
