import type { VisumEvent } from '@/generated/tenant';
import { texts } from '@/language/language.svelte';

const events: Record<VisumEvent, string> = { ARRIVAL: 'tiba', DEPARTURE: 'berangkat' };

export const t = texts(
  {
    title: 'Dokumen dan bukti',
    report: 'Laporan disampaikan',
    notReported: 'belum',
    visa: 'Visum',
    noVisa: 'tidak ada',
    events,
    withdrawn: 'ditarik',
    legalBasis: 'Dasar hukum aturan',
    head: 'Kepala rantai bukti',
    sealed: (number: string, at: string) => `segel ${number}, ${at}`,
    printedBy: (name: string, roles: string, at: string) =>
      `Dicetak oleh ${name} (${roles}), ${at}.`,
  },
  {
    title: 'Documents and proof',
    report: 'Report filed',
    notReported: 'not yet',
    visa: 'Visum',
    noVisa: 'none',
    events: { ARRIVAL: 'arrived', DEPARTURE: 'departed' },
    withdrawn: 'withdrawn',
    legalBasis: 'Legal basis of the rules',
    head: 'Head of the evidence chain',
    sealed: (number, at) => `seal ${number}, ${at}`,
    printedBy: (name, roles, at) => `Printed by ${name} (${roles}), ${at}.`,
  },
);
