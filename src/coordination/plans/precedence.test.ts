import { expect, test } from 'vitest'
import type { RebalancePlan } from '../api.ts'
import { waitsFor } from './precedence.ts'

type Phase = NonNullable<RebalancePlan['status']>['phase']

function plan(name: string, purpose: 'move' | 'isolate', phase: Phase | undefined, approved = true): RebalancePlan {
  const spec = {
    policyRef: { name: 'p' },
    snapshotHash: 'sha256:0',
    attempt: 0,
    outcome: 'met',
    method: 'milp',
    purpose,
    landing: 'prefer',
    moves: [],
    approved,
  } as const
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePlan',
    metadata: { name },
    spec,
    ...(phase === undefined ? {} : { status: { phase } }),
  }
}

// biome-ignore format: a table
test.each<[string, 'move' | 'isolate', 'move' | 'isolate', Phase | undefined, boolean, boolean]>([
  ['balance waits for approved isolation',       'move',    'isolate', 'Approved',  true,  true],
  ['balance waits for running isolation',        'move',    'isolate', 'Running',   true,  true],
  ['balance waits for paused isolation',         'move',    'isolate', 'Paused',    true,  true],
  ['not for one that nobody approved',           'move',    'isolate', 'Proposed',  false, false],
  ['not for one that is over',                   'move',    'isolate', 'Succeeded', true,  false],
  ['not for one that is half written',           'move',    'isolate', undefined,   true,  false],
  ['balance does not wait for balance',          'move',    'move',    'Running',   true,  false],
  ['isolation waits for a step of balance',      'isolate', 'move',    'Running',   true,  true],
  ['not for balance that has paused',            'isolate', 'move',    'Paused',    true,  false],
  ['not for balance that is to begin',           'isolate', 'move',    'Approved',  true,  false],
  ['isolation does not wait for isolation',      'isolate', 'isolate', 'Running',   true,  false],
])('%s', (_name, mine, others, phase, approved, waits) => {
  const found = waitsFor(plan('mine', mine, 'Running'), [plan('mine', mine, 'Running'), plan('other', others, phase, approved)])
  if (waits) expect(found).toContain('other')
  else expect(found).toBeUndefined()
})
