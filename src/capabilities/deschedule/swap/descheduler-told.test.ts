import { expect, test } from 'vitest'
import { toldDifferently } from './descheduler-told.ts'

const policy = 'apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\nprofiles: []\n'
const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' } }
const cronJob = (spec: object = {}) => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'd' },
  spec: { schedule: '0 4 * * *', concurrencyPolicy: 'Forbid', ...spec },
})
const file = '--policy-config-file=/policy-dir/policy.yaml'
const loop = ['--descheduling-interval=5m', file]
const ours = (words: readonly string[]) => ['descheduler', '--config=/policy-dir/config.yaml', ...words]

const told = { workload: deployment, words: loop, policy }
const own = { workload: deployment, words: ours(loop), policy }

// biome-ignore format: a table
test.each([
  ['alike',                       told, own, []],
  ['in other words',              { ...told, words: ['--policy-config-file', '/p.yaml', '--descheduling-interval', '300s', '-v', '3'] }, own, []],
  ['a policy in another order',   told, { ...own, policy: '{"profiles":[],"kind":"DeschedulerPolicy","apiVersion":"descheduler/v1alpha2"}' }, []],
  ['another port and log',        { ...told, words: [...loop, '--secure-port=0', '--logging-format=json'] }, own, []],
  ['another interval',            { ...told, words: ['--descheduling-interval=1m', file] }, own, ['deschedulingIntervalMs: upstream 60000, ours 300000']],
  ['a dry run',                   { ...told, words: [...loop, '--dry-run'] }, own, ['dryRun: upstream true, ours false']],
  ['eviction in background',      told, { ...own, words: ours([...loop, '--feature-gates=EvictionsInBackground=true']) }, ['evictionsInBackground: upstream false, ours true']],
  ['another policy',              told, { ...own, policy: `${policy}nodeSelector: a=b\n` }, ["the policy's nodeSelector"]],
  ['no policy',                   { ...told, policy: undefined }, own, ['the policy: it is no YAML of a map, or may not be read']],
  ['another kind',                told, { ...own, workload: cronJob() }, ['kind: upstream "Deployment", ours "CronJob"']],
  ['times alike',                 { ...told, workload: cronJob(), words: [file] }, { ...own, workload: cronJob({ suspend: true }), words: ours([file]) }, []],
  ['another time',                { ...told, workload: cronJob(), words: [file] }, { ...own, workload: cronJob({ schedule: '0 5 * * *' }), words: ours([file]) }, ['schedule: upstream "0 4 * * *", ours "0 5 * * *"']],
  ['flags that nobody reads',     { ...told, words: ['--odd'] }, own, ['flags that cannot be read']],
])('%s', (_name, theirs, mine, differences) => {
  expect(toldDifferently(theirs, mine)).toEqual(differences)
})
