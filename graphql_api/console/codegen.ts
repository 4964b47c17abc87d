import type { CodegenConfig } from '@graphql-codegen/cli';

const near = (types: string) => ({
  preset: 'near-operation-file' as const,
  presetConfig: { baseTypesPath: types, extension: '.generated.ts' },
  plugins: ['typescript-operations', './trusted.mjs'],
});

const REGENCY = ['src/**/*.graphql', '!src/province/**/*.graphql'];
const PROVINCE = 'src/province/**/*.graphql';
const manifest = { plugins: ['./trusted.mjs'], config: { manifest: true } };

const config: CodegenConfig = {
  config: {
    enumsAsTypes: true,
    useTypeImports: true,
    strictScalars: true,
    defaultScalarType: 'unknown',
    avoidOptionals: { field: true },
    scalars: {
      Date: 'string',
      DateTime: 'string',
      UUID: 'string',
      Rupiah: 'string',
      GeoJSON: '@/track#TrackFeature',
      JSON: 'unknown',
    },
  },
  generates: {
    'src/generated/tenant.ts': { schema: '../schema.graphql', plugins: ['typescript'] },
    'src/generated/province.ts': { schema: '../province.graphql', plugins: ['typescript'] },
    'src/': {
      schema: '../schema.graphql',
      documents: REGENCY,
      ...near('generated/tenant.ts'),
    },
    'src/province/': {
      schema: '../province.graphql',
      documents: PROVINCE,
      ...near('../generated/province.ts'),
    },
    'public/tenant.generated.json': {
      schema: '../schema.graphql',
      documents: REGENCY,
      ...manifest,
    },
    'public/province.generated.json': {
      schema: '../province.graphql',
      documents: PROVINCE,
      ...manifest,
    },
  },
};

export default config;
