// What two capabilities would both be called by is refused, with both names, in each room that takes sections.
import { expect, test } from 'vitest'
import * as z from 'zod'
import { commandTable } from '../scripts/command-table.ts'
import { assertFreeBlocks } from '../src/deployment/values/values.ts'
import { kindsById } from '../src/doctor/capability-findings.ts'
import { kind } from '../src/doctor/finding.ts'
import { capabilitySchema } from '../src/process/configuration/controller-configuration.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { assertToldApart, upstreams } from '../src/upstreams/upstreams.ts'
import { refresh } from './sample-capability/capability.ts'
import { fencerFor } from './sample-capability/swap/fencer.ts'

const commandNamed = (name: string, programs: readonly string[] = []) => ({
  ...refresh,
  parts: [],
  commands: (refresh.commands ?? []).map(command => ({ ...command, name, inPlaceOf: { programs } })),
})
const kinds = { 'pdb-blocks': kind('info', 'refresh', 'a budget') }
const fencer = fencerFor('refresh')

test.each<[string, () => unknown, string]>([
  ['a command of ours', () => commandTable([commandNamed('plan')]), 'command "plan" of refresh is taken by ballast'],
  [
    'a command of another capability',
    () => commandTable([...enabledCapabilities, commandNamed('shadow')]),
    'command "shadow" of refresh is taken by deschedule',
  ],
  [
    'a program',
    () => commandTable([...enabledCapabilities, commandNamed('ages', ['reloader'])]),
    'program "reloader" of refresh is taken by reload',
  ],
  [
    'a role of the agent',
    () => commandTable([refresh, { ...refresh, name: 'other', commands: [] }]),
    'role of `ballast agent` "refresh" of other is taken by refresh',
  ],
  [
    'a kind of finding',
    () => kindsById(new Map([['refresh', { kinds }]])),
    'kind of finding "pdb-blocks" of refresh is taken by ballast doctor',
  ],
  [
    'an id of an upstream',
    () => assertToldApart([...upstreams, { ...fencer, replaced: { ...fencer.replaced, id: 'reloader' } }]),
    'id of an upstream "reloader" of refresh is taken by reload',
  ],
  [
    'an upstream',
    () => assertToldApart([...upstreams, { ...fencer, name: 'KEDA' }]),
    'upstream "KEDA" of refresh is taken by autoscale',
  ],
  [
    'a block of the values',
    () => assertFreeBlocks(['rbac'], [{ name: 'rbac', by: 'refresh' }]),
    'block of the values "rbac" of refresh is taken by the chart',
  ],
])('%s', (_what, made, words) => {
  expect(made).toThrow(new Error(words))
})

test('a config whose keys nobody could read is refused by name', () => {
  const config = z.object({ after: z.string() }).transform(({ after }) => after)
  expect(() => capabilitySchema({ name: 'refresh', config, replaces: [] })).toThrow(
    'capability refresh: its config is no z.object',
  )
})
