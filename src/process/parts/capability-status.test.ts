import { expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import { readyConditions } from './capability-status.ts'
import { PartRecord } from './part-record.ts'
import { noFaults } from './part-supervision.ts'

const clock = new VirtualClock(Date.parse('2026-03-02T04:00:00Z'))
const part = (name: string, change: (record: PartRecord) => void) => {
  const record = new PartRecord({ capability: 'mirror', part: name, state: 'stopped' }, { clock })
  change(record)
  return record
}
const running = part('controller', record => record.set('running'))

// biome-ignore format: a table
test.each([
  ['running is ready', [running], 'True Running mirror/controller: running'],
  ['quarantined is worse than running', [running, part('always', record => record.rest(noFaults, { state: 'quarantined', delayMs: 60_000, isOutside: false }))], 'False Quarantined mirror/always: quarantined until 2026-03-02T04:01:00.000Z'],
  ['and than what starts again', [part('a', record => record.rest(noFaults, { state: 'backing-off', delayMs: 1_000, isOutside: false })), part('b', record => record.rest(noFaults, { state: 'quarantined', delayMs: 60_000, isOutside: false }))], 'False Quarantined mirror/b: quarantined until 2026-03-02T04:01:00.000Z'],
  ['waiting says for what', [running, part('b', record => record.wait(() => 'the Lease of Spegel'))], 'False Waiting mirror/b: waiting for the Lease of Spegel'],
  ['what nobody enabled', [part('b', record => record.set('stopped'))], 'False NotRunning mirror/b: not running'],
])('%s', (_case, records, expected) => {
  const condition = readyConditions(records).get('mirror')
  expect(`${condition?.status} ${condition?.reason} ${condition?.message}`).toBe(expected)
})
