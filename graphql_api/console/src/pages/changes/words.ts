import type { TripChange } from '@/generated/tenant';
import { texts } from '@/language/language.svelte';

const changes: Record<TripChange, string> = {
  REVISED: 'Rencana diubah',
  EXTENDED: 'Diperpanjang',
  CANCELLED: 'Dibatalkan',
  MIGRATED: 'Diubah oleh pembaruan layanan',
};

export const t = texts(
  {
    title: 'Perubahan rencana',
    changes,
    by: (name: string, at: string) => `oleh ${name}, ${at}`,
    before: 'Sebelumnya',
    copy: 'Salin ke perjalanan baru',
    revise: 'Ubah rencana',
    extend: 'Perpanjang',
    extendUntil: 'Berakhir pada',
    cancel: 'Batalkan',
    cancelTrip: 'Batalkan perjalanan',
    reason: 'Alasan',
  },
  {
    title: 'Changes of the plan',
    changes: {
      REVISED: 'Plan changed',
      EXTENDED: 'Extended',
      CANCELLED: 'Called off',
      MIGRATED: 'Changed by an update of the service',
    },
    by: (name, at) => `by ${name}, ${at}`,
    before: 'Before',
    copy: 'Copy to a new trip',
    revise: 'Change the plan',
    extend: 'Extend',
    extendUntil: 'Ends on',
    cancel: 'Call off',
    cancelTrip: 'Call off the trip',
    reason: 'Reason',
  },
);
