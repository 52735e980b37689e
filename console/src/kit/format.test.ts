import { expect, test } from "vitest";
import { money } from "./format";

test.each([
  [0, "en", "$0.00"],
  [0.00001, "en", "<$0.0001"],
  [0.00042, "en", "$0.0004"],
  [0.0123, "en", "$0.0123"],
  [0.1, "en", "$0.10"],
  [1234.5, "en", "$1,234.50"],
  [0.00001, "ja", "<$0.0001"],
  [0.0042, "ja", "$0.0042"],
  [12, "ja", "$12.00"],
  [0.00001, "zh-Hans", "<US$0.0001"],
  [0.0042, "zh-Hans", "US$0.0042"],
  [12, "zh-Hans", "US$12.00"],
])("%d dollars in %s are %s", (usd, language, text) => {
  expect(money(usd, language)).toBe(text);
});
