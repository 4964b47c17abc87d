import type { OfficeKind } from '@/generated/tenant';
import { texts } from '@/language/language.svelte';

const kinds: Record<OfficeKind, string> = {
  SECRETARIAT: 'Sekretariat Daerah',
  COUNCIL_SECRETARIAT: 'Sekretariat DPRD',
  INSPECTORATE: 'Inspektorat',
  DEPARTMENT: 'Dinas',
  AGENCY: 'Badan',
  DISTRICT: 'Kecamatan atau kelurahan',
  TECHNICAL_UNIT: 'UPTD',
};

export const t = texts(
  {
    title: 'Perangkat daerah',
    about:
      'Operator, kepala dan bendahara melihat perangkat daerahnya sendiri dan yang di bawahnya.',
    none: 'Belum ada perangkat daerah.',
    add: 'Tambah perangkat daerah',
    addDo: 'Tambah',
    added: (name: string) => `${name} ditambahkan.`,
    name: 'Nama',
    kind: 'Jenis',
    parent: 'Di bawah',
    top: 'Langsung di bawah daerah',
    kinds,
  },
  {
    title: 'Offices',
    about: 'Operators, heads and treasurers see their own office and those below it.',
    none: 'No office yet.',
    add: 'Add an office',
    addDo: 'Add',
    added: (name: string) => `${name} was added.`,
    name: 'Name',
    kind: 'Kind',
    parent: 'Below',
    top: 'Directly below the regency',
    kinds: {
      SECRETARIAT: 'Regional secretariat',
      COUNCIL_SECRETARIAT: 'Council secretariat',
      INSPECTORATE: 'Inspectorate',
      DEPARTMENT: 'Department',
      AGENCY: 'Agency',
      DISTRICT: 'District or village',
      TECHNICAL_UNIT: 'Technical unit',
    },
  },
);
