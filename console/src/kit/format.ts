/** Numbers as people read them. */

/** Minutes and seconds: `4:07`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(whole / 60);
  return `${minutes}:${String(whole % 60).padStart(2, "0")}`;
}

/** Bytes in the unit that leaves one to three digits before the point. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

const LEAST = 0.0001;
const IN_CENTS = 0.1;

/** Dollars in the reader's language: small amounts, such as one picture's, with four digits, so that none looks free. */
export function money(usd: number, language: string): string {
  const digits = usd === 0 || usd >= IN_CENTS ? 2 : 4;
  const format = new Intl.NumberFormat(language, {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return usd > 0 && usd < LEAST ? `<${format.format(LEAST)}` : format.format(usd);
}
