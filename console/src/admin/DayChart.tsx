/** A column for each day of a month; the table below it has the same as numbers. */
import { useTranslation } from "react-i18next";

interface Props {
  /** `2026-11` */
  month: string;
  /** By day, `2026-11-30`. */
  values: ReadonlyMap<string, number>;
  format: (value: number) => string;
  label: string;
}

export function DayChart({ month, values, format, label }: Props) {
  const { i18n } = useTranslation();
  const days = daysOf(month);
  const largest = Math.max(...values.values(), Number.MIN_VALUE);
  const name = new Intl.DateTimeFormat(i18n.language, { dateStyle: "medium", timeZone: "UTC" });
  return (
    <figure className="day-chart" role="img" aria-label={label} tabIndex={0}>
      <span className="day-chart-most">{format(Math.max(0, ...values.values()))}</span>
      <div className="day-chart-columns">
        {days.map((day) => {
          const value = values.get(day) ?? 0;
          return (
            <div key={day} className="day-chart-day" title={`${name.format(new Date(`${day}T00:00Z`))}: ${format(value)}`}>
              <div className="day-chart-column" style={{ height: `${(100 * value) / largest}%` }} />
              <span className="day-chart-number">{Number(day.slice(8))}</span>
            </div>
          );
        })}
      </div>
    </figure>
  );
}

export function daysOf(month: string): string[] {
  const [year, number] = month.split("-").map(Number);
  const count = new Date(Date.UTC(year!, number!, 0)).getUTCDate();
  return Array.from({ length: count }, (_, index) => `${month}-${String(index + 1).padStart(2, "0")}`);
}
