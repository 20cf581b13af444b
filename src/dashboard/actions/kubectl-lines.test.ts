import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ActionBody, ActionName } from '../contract.ts'
import { freezeActions, planActions, twinActions } from '../contract-names.ts'
import { kubectlLine } from './kubectl-lines.ts'
import { meaningOf } from './testdata/kubectl-meaning.ts'
import type { Asked } from './write.ts'
import { writeOf } from './write-of.ts'

const asked: Asked = { viewer: 'anna', time: '2025-12-19T13:03:20Z', ownNamespace: 'ballast-system' }
const approval = { plan: 'talos-7f3c', snapshotHash: 'sha256:0', resourceVersion: '812' }

// biome-ignore format: a table
const lines: readonly [ActionName, Partial<ActionBody>, string][] = [
  ['approve', approval, `kubectl patch rebalanceplan talos-7f3c --type=merge -p '{"metadata":{"resourceVersion":"812","annotations":{"ballast.dev/approved-by":"anna","ballast.dev/run-until":null}},"spec":{"approved":true,"approvedHash":"sha256:0"}}'`],
  ['step', { ...approval, move: 'm01' }, `kubectl patch rebalanceplan talos-7f3c --type=merge -p '{"metadata":{"resourceVersion":"812","annotations":{"ballast.dev/approved-by":"anna","ballast.dev/run-until":"m01"}},"spec":{"approved":true,"approvedHash":"sha256:0"}}'`],
  ['withdraw', approval, `kubectl patch rebalanceplan talos-7f3c --type=merge -p '{"metadata":{"resourceVersion":"812","annotations":{"ballast.dev/approved-by":null,"ballast.dev/run-until":null}},"spec":{"approved":false,"approvedHash":null}}'`],
  ['pause', { plan: 'talos-7f3c', reason: "it's late" }, `kubectl annotate rebalanceplan talos-7f3c --overwrite ballast.dev/freeze='it'\\''s late' ballast.dev/frozen-by=anna`],
  ['pause', { plan: 'talos-7f3c' }, 'kubectl annotate rebalanceplan talos-7f3c --overwrite ballast.dev/freeze=true ballast.dev/frozen-by=anna'],
  ['resume', { plan: 'talos-7f3c' }, 'kubectl annotate rebalanceplan talos-7f3c ballast.dev/freeze- ballast.dev/frozen-by- ballast.dev/run-until-'],
  ['replan', { policy: 'talos' }, 'kubectl annotate rebalancepolicy talos --overwrite ballast.dev/plan-now=2025-12-19T13:03:20Z'],
  ['freeze', { scope: null, reason: 'update night' }, `kubectl annotate namespace ballast-system --overwrite ballast.dev/freeze='update night' ballast.dev/frozen-by=anna`],
  ['freeze', { scope: { kind: 'Namespace', namespace: null, name: 'media' } }, 'kubectl annotate namespace media --overwrite ballast.dev/freeze=true ballast.dev/frozen-by=anna'],
  ['freeze', { scope: { kind: 'Deployment', namespace: 'media', name: 'sonarr' }, reason: '<b>x</b>=cmd' }, `kubectl -n media annotate deployment sonarr --overwrite ballast.dev/freeze='<b>x</b>=cmd' ballast.dev/frozen-by=anna`],
  ['thaw', { scope: { kind: 'Deployment', namespace: 'media', name: 'sonarr' } }, 'kubectl -n media annotate deployment sonarr ballast.dev/freeze- ballast.dev/frozen-by-'],
  ['twin/speed', { speed: 60 }, `kubectl patch twinclock clock --type=merge -p '{"spec":{"speed":"60"}}'`],
  ['twin/speed', { speed: 'max' }, `kubectl patch twinclock clock --type=merge -p '{"spec":{"speed":"max"}}'`],
  ['twin/pause', {}, `kubectl patch twinclock clock --type=merge -p '{"spec":{"paused":true}}'`],
  ['twin/run', {}, `kubectl patch twinclock clock --type=merge -p '{"spec":{"paused":false}}'`],
  ['twin/advance', { advanceMs: 60_000 }, `kubectl patch twinclock clock --type=merge -p '{"spec":{"advance":"60000ms"}}'`],
  ['twin/next', {}, `kubectl patch twinclock clock --type=merge -p '{"spec":{"next":1}}'`],
  ['twin/fault', { name: 'page-1', fault: { kind: 'stop-node', node: 'talos01', minutes: 5 } }, `echo '{"apiVersion":"ballast.dev/v1alpha1","kind":"TwinFault","metadata":{"name":"page-1"},"spec":{"until":"5m","node":{"names":["talos01"],"action":"crash"}}}' | kubectl create -f -`],
  ['twin/heal', { name: 'page-1' }, 'kubectl delete twinfault page-1'],
  ['twin/reset', {}, '# nothing is written: the source of the twin is loaded anew'],
]

test.each(lines)('%s %j', (action, body, line) => {
  expect(kubectlLine(action, body, asked)).toBe(line)
})

test('each action has a line', () => {
  expect(new Set(lines.map(([action]) => action))).toEqual(new Set([...planActions, ...freezeActions, ...twinActions]))
})

test('a plan asked for at a time that is not known yet takes the time of the shell', () => {
  expect(kubectlLine('replan', { policy: 'talos' })).toBe(
    'kubectl annotate rebalancepolicy talos --overwrite ballast.dev/plan-now="$(date -u +%Y-%m-%dT%H:%M:%SZ)"',
  )
})

describe('what a shell and kubectl read in a line is what is written', () => {
  const written = (action: ActionName, body: Partial<ActionBody>) => {
    const write = writeOf(action, body, asked)
    const said = meaningOf(kubectlLine(action, body, asked))
    if (write.verb === 'reset') throw new Error('nothing is written')
    expect([said.verb, said.kind, said.namespace, said.name]).toEqual([
      write.verb,
      write.of.kind.toLowerCase(),
      write.of.namespace,
      write.of.name,
    ])
    if (write.verb === 'patch') expect(said.body).toEqual(write.body)
    if (write.verb === 'create') expect(said.body).toMatchObject({ kind: write.of.kind, spec: write.spec })
  }

  test.each(lines.filter(([action]) => action !== 'twin/reset'))('%s %j', (action, body) => written(action, body))

  test('whatever the reason is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), reason => {
        written('pause', { plan: 'talos-7f3c', reason })
        written('freeze', { scope: null, reason })
        expect(kubectlLine('pause', { plan: 'talos-7f3c', reason })).not.toMatch(/[\r\n\0]/)
      }),
    )
  })
})
