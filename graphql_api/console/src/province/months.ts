import { today } from '@/format';

/** The first day of the month so many months after this one. */
export function monthAway(months: number): string {
  const day = new Date(`${today().slice(0, 7)}-01T00:00:00Z`);
  day.setUTCMonth(day.getUTCMonth() + months);
  return day.toISOString().slice(0, 10);
}

/** Every month from one to another, by its first day. */
export function monthsBetween(first: string, last: string): string[] {
  const found: string[] = [];
  for (const day = new Date(`${first}T00:00:00Z`); ; day.setUTCMonth(day.getUTCMonth() + 1)) {
    const iso = day.toISOString().slice(0, 10);
    if (iso > last) return found;
    found.push(iso);
  }
}
