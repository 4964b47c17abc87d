import { language } from './language/language.svelte';
import { realm } from './realm';

const locale = (): string => (language.now === 'en' ? 'en-GB' : 'id-ID');

/** Rupiah as people in Indonesia write them, in either language: Rp 430.000. */
const currency = new Intl.NumberFormat('id-ID', {
  style: 'currency',
  currency: 'IDR',
  maximumFractionDigits: 0,
});
export const rupiah = (amount: string): string => currency.format(Number(amount));

export const number = (value: number): string => new Intl.NumberFormat(locale()).format(value);

/** A share from 0 to 1. */
export const percent = (share: number): string =>
  new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 0 }).format(share);

/** A span of hours, to a tenth. */
export const hours = (value: number): string =>
  new Intl.NumberFormat(locale(), {
    style: 'unit',
    unit: 'hour',
    maximumFractionDigits: 1,
  }).format(value);

/** A month by any day of it. */
export const month = (iso: string): string =>
  new Intl.DateTimeFormat(locale(), { month: 'short', year: 'numeric', timeZone: 'UTC' }).format(
    new Date(`${iso}T00:00:00Z`),
  );

/** A local date of the service, which has no zone to convert. */
export const date = (iso: string, weekday = false): string =>
  new Intl.DateTimeFormat(locale(), {
    dateStyle: weekday ? 'full' : 'medium',
    timeZone: 'UTC',
  }).format(new Date(`${iso}T00:00:00Z`));

export const dates = (from: string, until: string): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeZone: 'UTC' }).formatRange(
    new Date(`${from}T00:00:00Z`),
    new Date(`${until}T00:00:00Z`),
  );

/** A time where it was, with the name of its zone: 26 Nov 2026, 15.30 WITA. */
export const time = (iso: string | number | Date, zone = realm.zone): string =>
  new Intl.DateTimeFormat(locale(), {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZone: zone,
  })
    .format(new Date(iso))
    .concat(' ', zoneName(zone));

export const clock = (iso: string, zone = realm.zone): string =>
  new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', timeZone: zone }).format(
    new Date(iso),
  );

const ZONES: Record<string, string> = {
  'Asia/Jakarta': 'WIB',
  'Asia/Makassar': 'WITA',
  'Asia/Jayapura': 'WIT',
};
const zoneName = (zone: string): string => ZONES[zone] ?? zone;

/** How long ago, in the largest fitting unit. */
export function ago(iso: string, now: number): string {
  const minutes = (Date.parse(iso) - now) / 60_000;
  const words = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
  if (minutes > -60) return words.format(Math.round(minutes), 'minute');
  if (minutes > -48 * 60) return words.format(Math.round(minutes / 60), 'hour');
  return words.format(Math.round(minutes / 1440), 'day');
}

/** From one time to another, in hours and minutes. */
export function length(from: string, until: string): string {
  const minutes = Math.round((Date.parse(until) - Date.parse(from)) / 60_000);
  const unit = (value: number, name: 'hour' | 'minute') =>
    new Intl.NumberFormat(locale(), { style: 'unit', unit: name, unitDisplay: 'short' }).format(
      value,
    );
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  return [hours ? unit(hours, 'hour') : '', rest || !hours ? unit(rest, 'minute') : '']
    .filter(Boolean)
    .join(' ');
}

/** The local date of now in the realm's zone, as ISO 8601 has it. */
export const today = (): string =>
  new Intl.DateTimeFormat('sv-SE', { timeZone: realm.zone }).format(new Date());

/** An hour on the clocks of a zone, as a form has it (2026-11-26T09:30), as a moment. */
export function moment(local: string, zone: string): string {
  const guess = new Date(`${local}Z`);
  const there = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
    timeZone: zone,
  }).format(guess);
  return new Date(2 * guess.getTime() - Date.parse(`${there.replace(' ', 'T')}Z`)).toISOString();
}

/** What was typed for whole rupiah, as people here write them (430.000), for the service. */
export const wholeRupiah = (typed: string): string => typed.replace(/[. ]/g, '');

/** The sum of amounts, in whole rupiah. */
export const sum = (amounts: readonly (string | null)[]): bigint =>
  amounts.reduce((total, amount) => total + BigInt(amount?.split('.')[0] ?? 0), 0n);
