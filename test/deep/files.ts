// Which files `npm run test:deep` runs.
/** As globs from the root: the deep files, and those whose random cases `npm test` plays a share of. */
export const deepFiles: readonly string[] = [
  '{src,test,scripts}/**/*.deep.test.ts',
  'src/coordination/**/interleavings.test.ts',
  'src/capabilities/deschedule/compat/strategies/properties.test.ts',
  'src/capabilities/reload/workloads/patterns.test.ts',
  'src/cluster/hostile-objects.test.ts',
  'src/planning/manifest-patches/beside-plan.test.ts',
  'src/planning/plan-property.test.ts',
  'src/planning/roll-back.test.ts',
  'src/twin/shared-values.test.ts',
  'src/twin/store.test.ts',
  'test/clients-replay.test.ts',
  'test/main-job.test.ts',
]
