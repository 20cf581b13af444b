// Rules of others: upstream's four cases in both modes and policies, Nidhogg's file, and the refusal of rules that overlap.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Node, Taint } from '#kube/objects/objects.ts'
import { labelSelectorOf, type Selector, selectorOf } from '#kube/objects/selector.ts'
import { nodeFacts } from '../node-facts.ts'
import { decideNidhogg } from './nidhogg.ts'
import { isRule, type NodeReadinessRule } from './node-readiness-rule.ts'
import { decideRule } from './rule-decision.ts'
import { overlap } from './rule-overlap.ts'
import { ruleStatus, statusPatch } from './rule-status.ts'

const nowMs = Date.parse('2026-03-02T04:00:00Z')
const key = 'readiness.k8s.io/net'
const taint: Taint = { key, effect: 'NoSchedule', value: 'pending' }
const completed = 'readiness.k8s.io/bootstrap-completed-uid-net'

type Over = Partial<NodeReadinessRule['spec']> & {
  readonly name?: string
  readonly metadata?: object
  readonly status?: NodeReadinessRule['status']
}

function rule({ name = 'net', metadata = {}, status, ...spec }: Over = {}): NodeReadinessRule {
  return {
    apiVersion: 'readiness.node.x-k8s.io/v1alpha1',
    kind: 'NodeReadinessRule',
    metadata: { name, uid: `uid-${name}`, generation: 1, creationTimestamp: '2026-03-01T00:00:00Z', ...metadata },
    spec: {
      conditions: [
        { type: 'A', requiredStatus: 'True' },
        { type: 'B', requiredStatus: 'True' },
      ],
      enforcementMode: 'continuous',
      taint,
      nodeSelector: { matchLabels: { role: 'worker' } },
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  }
}

function node(
  conditions: Readonly<Record<string, 'True' | 'False' | 'Unknown'>>,
  taints: readonly Taint[] = [],
  metadata: object = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', uid: 'uid-n1', creationTimestamp: '2026-01-01T00:00:00Z', labels: { role: 'worker' }, ...metadata },
    spec: { taints },
    status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status })) },
  }
}

const once = { enforcementMode: 'bootstrap-only' } as const
const any = { conditionPolicy: 'anyOf' } as const
const both = { A: 'True', B: 'True' } as const
const one = { A: 'True' } as const
const done = { [completed]: '{"rule-name":"net"}' }
const isDone = { annotations: done }
const oldDone = { annotations: { 'readiness.k8s.io/bootstrap-completed-net': 'true' } }
const add = { add: [taint], remove: [], annotations: {} }
const remove = { add: [], remove: [{ key, effect: 'NoSchedule' }], annotations: {} }
const nothing = { add: [], remove: [], annotations: {} }
const whenMissing = (defaultStatus: 'True' | 'False') => ({
  conditions: [
    { type: 'A', requiredStatus: 'True' as const },
    { type: 'B', requiredStatus: 'True' as const, defaultStatus },
  ],
})
const foreign: Taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }

describe('upstream’s four cases', () => {
  test.each([
    ['case 26: A=True, B missing: added', rule(once), node(one), 'add', add],
    [
      'case 26: B=True: removed and annotated in one patch',
      rule(once),
      node(both, [taint]),
      'remove',
      { ...remove, annotations: done },
    ],
    ['case 26: B=False later: nothing', rule(once), node({ A: 'True', B: 'False' }, [], isDone), 'none', nothing],
    ['bootstrap-only, annotated in the old form: nothing', rule(once), node(one, [], oldDone), 'none', nothing],
    ['bootstrap-only, unmet and tainted: adopted', rule(once), node(one, [taint]), 'adopt', nothing],
    ['bootstrap-only, met from the start: annotated', rule(once), node(both), 'complete', { ...nothing, annotations: done }],
    ['continuous, met and tainted: removed', rule(), node(both, [taint]), 'remove', remove],
    ['continuous, unmet and untainted: added', rule(), node(one), 'add', add],
    ['continuous, unmet again though annotated: added', rule(), node(one, [], isDone), 'add', add],
    ['continuous, unmet and tainted: adopted', rule(), node(one, [taint]), 'adopt', nothing],
    ['continuous, met and untainted: nothing', rule(), node(both), 'none', nothing],
    ['anyOf, one is met: removed', rule(any), node(one, [taint]), 'remove', remove],
    ['anyOf, none is met: added', rule(any), node({ A: 'False' }), 'add', add],
    ['a default of True stands in for a missing condition', rule(whenMissing('True')), node(one, [taint]), 'remove', remove],
    ['a default of False does not', rule(whenMissing('False')), node(one), 'add', add],
    ['another effect is another taint', rule(), node(one, [{ ...taint, effect: 'NoExecute' }]), 'add', add],
    ['another value is the same taint', rule(), node(both, [{ ...taint, value: 'x' }]), 'remove', remove],
    ['others’ taints are not its business', rule(), node(both, [foreign]), 'none', nothing],
    [
      'a node that is being deleted is left alone',
      rule(),
      node(one, [], { deletionTimestamp: '2026-03-02T00:00:00Z' }),
      'none',
      nothing,
    ],
    ['a trial does nothing', rule({ dryRun: true }), node(one), 'none', nothing],
    ['a node of other labels is not its business', rule(), node(one, [taint], { labels: {} }), 'none', nothing],
    [
      'a rule that goes takes its taint along',
      rule({ metadata: { deletionTimestamp: '2026-03-02T00:00:00Z' } }),
      node(one, [taint]),
      'remove',
      remove,
    ],
    ['an empty selector takes nothing', rule({ nodeSelector: {} }), node(one), 'none', nothing],
  ] as const)('%s', (_, of, on, action, marks) => {
    const decision = decideRule(of, nodeFacts(on), { first: true, others: [of] })
    expect(decision).toMatchObject({ action, marks })
  })

  test('a taint is adopted once', () => {
    const of = rule()
    expect(decideRule(of, nodeFacts(node(one, [taint])), { first: false, others: [of] }).action).toBe('none')
  })

  test('a node that lost the labels is let go, where the rule is known to have held it', () => {
    const status = {
      nodeEvaluations: [
        { nodeName: 'n1', conditionResults: [], taintStatus: 'Present' as const, lastEvaluationTime: '2026-03-02T00:00:00Z' },
      ],
    }
    const of = rule({ status })
    expect(decideRule(of, nodeFacts(node(one, [taint], { labels: {} })), { first: false, others: [of] }).marks).toEqual(remove)
  })

  test('of two rules that fight for a taint the older one has it, the other fails', () => {
    const older = rule()
    const newer = rule({
      name: 'new',
      metadata: { creationTimestamp: '2026-03-02T00:00:00Z' },
      conditions: [{ type: 'A', requiredStatus: 'True' }],
    })
    const at = nodeFacts(node(one))
    const decisions = [older, newer].map(of => decideRule(of, at, { first: false, others: [older, newer] }))
    expect(decisions.map(({ action }) => action)).toEqual(['add', 'none'])
    expect(decisions[1]?.failure?.reason).toBe('ConflictingRule')
  })

  test('a rule that goes leaves the taint that another wants', () => {
    const going = rule({ metadata: { deletionTimestamp: '2026-03-02T00:00:00Z' } })
    const other = rule({ name: 'other' })
    expect(decideRule(going, nodeFacts(node(one, [taint])), { first: false, others: [going, other] }).marks).toEqual(nothing)
  })

  test.each([
    ['an unknown effect', { taint: { ...taint, effect: 'Never' } }, 'InvalidTaint'],
    ['a key of others', { taint: { ...taint, key: 'example.com/a' } }, 'InvalidTaint'],
    ['a default with bootstrap-only', { ...once, ...whenMissing('True') }, 'InvalidRule'],
    ['anyOf with bootstrap-only', { ...once, ...any }, 'InvalidRule'],
  ] as const)('what slipped through fails and stops nobody: %s', (_, over, reason) => {
    const of = rule(over)
    expect(decideRule(of, nodeFacts(node(one)), { first: true, others: [of] })).toMatchObject({
      action: 'none',
      failure: { reason },
    })
  })

  test('an object of another shape is no rule', () => {
    expect(isRule(rule())).toBe(true)
    expect(isRule({ ...rule(), spec: { conditions: 'all' } })).toBe(false)
  })
})

describe('the status of a rule', () => {
  const evaluate = (of: NodeReadinessRule, nodes: readonly Node[], atMs = nowMs) =>
    ruleStatus(
      of,
      nodes.map(nodeFacts).map(facts => ({ node: facts, decision: decideRule(of, facts, { first: false, others: [of] }) })),
      atMs,
    )

  test('says what upstream’s says', () => {
    expect(evaluate(rule(), [node(one, [taint])])).toEqual({
      observedGeneration: 1,
      appliedNodes: ['n1'],
      nodeEvaluations: [
        {
          nodeName: 'n1',
          conditionResults: [
            { type: 'A', currentStatus: 'True', requiredStatus: 'True', defaultStatus: 'Unknown' },
            { type: 'B', currentStatus: 'Unknown', requiredStatus: 'True', defaultStatus: 'Unknown' },
          ],
          taintStatus: 'Present',
          lastEvaluationTime: '2026-03-02T04:00:00Z',
        },
      ],
    })
  })

  test('is written only where it changes, and a time only with what it is the time of', () => {
    const status = evaluate(rule(), [node(one, [taint])])
    const again = evaluate(rule({ status }), [node(one, [taint])], nowMs + 60_000)
    expect(statusPatch(status, again)).toBeUndefined()
    const changed = evaluate(rule({ status }), [node(both)], nowMs + 60_000)
    expect(changed.nodeEvaluations?.[0]).toMatchObject({ taintStatus: 'Absent', lastEvaluationTime: '2026-03-02T04:01:00Z' })
    expect(statusPatch(status, evaluate(rule({ status }), [], nowMs))).toEqual({
      status: { observedGeneration: 1, appliedNodes: null, nodeEvaluations: null },
    })
  })

  test('of a trial counts what would be done', () => {
    const nodes = [node(one), node(both, [taint]), node(both)]
    expect(evaluate(rule({ dryRun: true }), nodes).dryRunResults).toEqual({
      affectedNodes: 3,
      taintsToAdd: 1,
      taintsToRemove: 1,
      riskyOperations: 1,
      summary: 'would add 1 taints, would remove 1 taints, 1 nodes have missing conditions',
    })
    expect(evaluate(rule({ dryRun: true }), [node(both)]).dryRunResults?.summary).toBe('No changes needed')
  })
})

describe('Nidhogg’s file', () => {
  const config = { nodeSelector: ['role', 'role in (worker)'], daemonsets: [{ name: 'kiam', namespace: 'kube-system' }] }
  const sets = (ready: readonly string[]) => ({
    get: () => ({ ready: new Set(ready), present: new Set(['n1']) }),
  })
  const nidhogg: Taint = { key: 'nidhogg.uswitch.com/kube-system.kiam', effect: 'NoSchedule' }

  test.each([
    ['no Ready pod: added', node({}), [], { ...nothing, add: [nidhogg] }],
    ['still none: nothing', node({}, [nidhogg]), [], nothing],
    [
      'Ready: removed, first time noted',
      node({}, [nidhogg, foreign]),
      ['n1'],
      {
        add: [],
        remove: [{ key: nidhogg.key, effect: 'NoSchedule' }],
        annotations: { 'nidhogg.uswitch.com/first-time-ready': '2026-03-02T04:00:00Z' },
      },
    ],
    [
      'ready again: the first time stays',
      node({}, [nidhogg], { annotations: { 'nidhogg.uswitch.com/first-time-ready': '2025-01-01T00:00:00Z' } }),
      ['n1'],
      { add: [], remove: [{ key: nidhogg.key, effect: 'NoSchedule' }], annotations: {} },
    ],
    [
      'of an earlier file: removed',
      node({}, [{ key: 'nidhogg.uswitch.com/a.b', effect: 'NoSchedule' }], {
        annotations: { 'nidhogg.uswitch.com/first-time-ready': 'x' },
      }),
      ['n1'],
      { add: [], remove: [{ key: 'nidhogg.uswitch.com/a.b', effect: 'NoSchedule' }], annotations: {} },
    ],
    ['another node: nothing', node({}, [], { labels: {} }), [], nothing],
    ['being deleted: nothing', node({}, [], { deletionTimestamp: '2026-03-02T00:00:00Z' }), [], nothing],
  ] as const)('%s', (_, on, ready, marks) => {
    expect(decideNidhogg(nodeFacts(on), config, sets(ready), nowMs).marks).toEqual(marks)
  })
})

describe('selectors overlap', () => {
  const of = (selector: object): Selector => {
    const parsed = labelSelectorOf(selector)
    if (!parsed.ok) throw new Error(parsed.problem.expected)
    return parsed.value
  }
  test.each([
    ['other values', { matchLabels: { a: '1' } }, { matchLabels: { a: '2' } }, false],
    ['other keys', { matchLabels: { a: '1' } }, { matchLabels: { b: '2' } }, true],
    [
      'in, not in',
      { matchExpressions: [{ key: 'a', operator: 'In', values: ['1', '2'] }] },
      { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] },
      true,
    ],
    [
      'in, none left',
      { matchExpressions: [{ key: 'a', operator: 'In', values: ['1'] }] },
      { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] },
      false,
    ],
    [
      'there, not there',
      { matchExpressions: [{ key: 'a', operator: 'Exists' }] },
      { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] },
      false,
    ],
    [
      'not in, not there',
      { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] },
      { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] },
      true,
    ],
    ['everything', {}, { matchLabels: { a: '1' } }, true],
  ])('%s', (_, a, b, expected) => {
    expect(overlap(of(a), of(b))).toBe(expected)
    expect(overlap(of(b), of(a))).toBe(expected)
  })

  test.each([
    ['3', '5', true],
    ['3', '4', false],
    ['5', '3', false],
  ])('above %s and below %s', (above, below, expected) => {
    const gt = selectorOf([{ key: 'a', operator: 'gt', values: [above] }])
    const lt = selectorOf([{ key: 'a', operator: 'lt', values: [below] }])
    expect(overlap(gt, lt)).toBe(expected)
  })

  test('labels that match both are found by nobody where they do not overlap', () => {
    const requirement = fc.record({
      key: fc.constantFrom('a', 'b'),
      operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
      chosen: fc.subarray(['1', '2', '3'], { minLength: 1 }),
    })
    const selector = fc.array(requirement, { maxLength: 3 }).map(list =>
      of({
        matchExpressions: list.map(({ key: on, operator, chosen }) => ({
          key: on,
          operator,
          ...(operator === 'In' || operator === 'NotIn' ? { values: chosen } : {}),
        })),
      }),
    )
    const values = [undefined, '1', '2', '3', '4']
    const all = values.flatMap(a => values.map(b => ({ ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) })))
    fc.assert(
      fc.property(selector, selector, (a, b) => {
        expect(overlap(a, b)).toBe(all.some(labels => a.matches(labels) && b.matches(labels)))
      }),
      { numRuns: 1_000 },
    )
  })
})
