import { describe, expect, test } from 'vitest'
import type { Claim, ClaimCondition, StoredVolume } from '../storage-kinds.ts'
import { asksAnew, decideModify, isStillAsked, mayBeModified } from './modify-decision.ts'
import { awaited, cancelled, modified, modifyFailed, modifying } from './modify-status.ts'

const driver = 'nfs.csi.k8s.io'

interface Row {
  readonly asks?: string
  readonly has?: string
  /** `InProgress gold` */
  readonly open?: string
  readonly uncertain?: true
  readonly told?: true
  readonly expected: string
}

const condition = (type: string, more: Partial<ClaimCondition> = {}): ClaimCondition => ({ type, status: 'True', ...more })

function claimOf({ asks, has, open, told }: Omit<Row, 'expected'>): Claim {
  const [status = '', target] = open?.split(' ') ?? []
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'plex', namespace: 'media', uid: 'u1', resourceVersion: '7' },
    spec: { volumeName: 'pv', ...(asks === undefined ? {} : { volumeAttributesClassName: asks }) },
    status: {
      phase: 'Bound',
      ...(has === undefined ? {} : { currentVolumeAttributesClassName: has }),
      ...(open === undefined
        ? {}
        : { modifyVolumeStatus: { status, ...(target === undefined ? {} : { targetVolumeAttributesClassName: target }) } }),
      ...(told === undefined ? {} : { conditions: [condition('ModifyingVolume')] }),
    },
  }
}

const volume: StoredVolume = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'pv' },
  spec: { csi: { driver, volumeHandle: 'h' } },
}

describe('what becomes of a claim', () => {
  // biome-ignore format: a table
  test.each<Row>([
    {                                                                 expected: 'as-asked' },
    { asks: 'gold', has: 'gold',                                      expected: 'as-asked' },
    { asks: 'gold',                                                   expected: 'begin gold' },
    { asks: 'silver', has: 'gold',                                    expected: 'begin silver' },
    { asks: 'gold', open: 'Pending',                                  expected: 'begin gold' },
    { asks: 'gold', open: 'Infeasible gold',                          expected: 'begin gold' },
    { asks: 'silver', open: 'Infeasible gold',                        expected: 'begin silver' },
    { asks: 'gold', has: 'gold', open: 'Infeasible bad',              expected: 'begin gold' },
    // A call failed, and is known to be over: another class may be had.
    { asks: 'silver', open: 'InProgress gold',                        expected: 'begin silver' },
    // Nobody knows how a call ended: the same is asked for again, whatever the claim says by now.
    { asks: 'silver', open: 'InProgress gold', uncertain: true,       expected: 'go-on gold' },
    { asks: 'gold', open: 'InProgress gold', uncertain: true,         expected: 'go-on gold' },
    { open: 'InProgress gold',                                        expected: 'go-on gold' },
    { asks: 'silver', open: 'Infeasible gold', uncertain: true,       expected: 'begin silver' },
    { open: 'Infeasible gold', told: true,                            expected: 'cancel' },
    { open: 'Infeasible gold',                                        expected: 'nothing-asked' },
    { open: 'Pending', has: 'gold',                                   expected: 'nothing-asked' },
  ])('asks $asks, has $has, $open, uncertain $uncertain: $expected', row => {
    const decision = decideModify(claimOf(row), volume, { driver, isUncertain: row.uncertain === true })
    const told = decision.kind === 'leave' ? decision.because : 'target' in decision ? `${decision.kind} ${decision.target}` : decision.kind
    expect(told).toBe(row.expected)
    // What is worked on is found among the claims, too.
    if (decision.kind !== 'leave') expect(mayBeModified(claimOf(row))).toBe(true)
  })

  test('what is of another driver or not bound is left', () => {
    const asking = claimOf({ asks: 'gold' })
    const known = { driver, isUncertain: false }
    expect(decideModify(asking, { ...volume, spec: { csi: { driver: 'x', volumeHandle: 'h' } } }, known)).toEqual({
      kind: 'leave',
      because: 'of-another',
    })
    expect(decideModify({ ...asking, status: { phase: 'Lost' } }, volume, known)).toEqual({ kind: 'leave', because: 'not-bound' })
    expect([mayBeModified({ ...asking, status: { phase: 'Pending' } }), mayBeModified(claimOf({}))]).toEqual([false, false])
  })
})

test('what is written by us hurries nothing', () => {
  const asking = claimOf({ asks: 'gold' })
  const open = claimOf({ asks: 'gold', open: 'InProgress gold' })
  expect([
    asksAnew(undefined, asking),
    asksAnew(asking, open),
    asksAnew(open, claimOf({ asks: 'gold', open: 'Infeasible gold' })),
  ]).toEqual([true, false, false])
  expect([
    asksAnew(open, asking),
    asksAnew(claimOf({}), asking),
    asksAnew(open, claimOf({ asks: 'silver', open: 'InProgress gold' })),
  ]).toEqual([true, true, true])
  expect([isStillAsked(open), isStillAsked(claimOf({ asks: 'silver', open: 'Infeasible gold' })), isStillAsked(asking)]).toEqual([
    true,
    false,
    false,
  ])
})

describe('what the status says', () => {
  const time = '2026-03-02T04:00:00Z'
  const before = '2026-03-01T00:00:00Z'
  const metadata = { resourceVersion: '7' }

  test('it waits for its class, and is being changed', () => {
    expect(awaited(claimOf({ asks: 'gold' }))).toEqual({ metadata, status: { modifyVolumeStatus: { status: 'Pending' } } })
    const message = 'Modifying volume to "gold" is in progress.'
    expect(modifying(claimOf({ asks: 'gold' }), 'gold', time)).toEqual({
      metadata,
      status: {
        modifyVolumeStatus: { status: 'InProgress', targetVolumeAttributesClassName: 'gold' },
        conditions: [condition('ModifyingVolume', { message, lastProbeTime: time, lastTransitionTime: time })],
      },
    })
  })

  test('it failed: a condition that says the same keeps its time', () => {
    const failed = { target: 'gold', code: 'InvalidArgument', why: 'no', isUncertain: false, isInfeasible: true, time }
    const claim = claimOf({ asks: 'gold', open: 'InProgress gold' })
    const conditions = [
      condition('ModifyingVolume', { lastTransitionTime: before }),
      condition('ModifyVolumeError', { reason: 'Internal', lastTransitionTime: before }),
    ]
    const { status } = modifyFailed({ ...claim, status: { ...claim.status, conditions } }, failed)
    expect(status).toEqual({
      modifyVolumeStatus: { status: 'Infeasible' },
      conditions: [
        condition('ModifyingVolume', {
          message: 'Modifying volume to "gold" failed. Waiting for retry.',
          lastProbeTime: time,
          lastTransitionTime: before,
        }),
        condition('ModifyVolumeError', {
          reason: 'InvalidArgument',
          message: 'no',
          lastProbeTime: time,
          lastTransitionTime: time,
        }),
      ],
    })
    const uncertain = modifyFailed(claim, { ...failed, isUncertain: true, isInfeasible: false }).status
    expect(uncertain.modifyVolumeStatus).toEqual({ status: 'InProgress' })
    expect(uncertain.conditions?.[0]).toMatchObject({ message: 'Modifying volume to "gold" is still in progress.' })
  })

  test('it is done, or given up: only conditions of this matter go', () => {
    const claim = claimOf({ asks: 'gold', open: 'InProgress gold' })
    const conditions = ['Odd', 'ModifyingVolume', 'ModifyVolumeError'].map(type => condition(type))
    const told = { ...claim, status: { ...claim.status, conditions } }
    const gone = (type: string) => ({ $patch: 'delete', type })
    expect(modified(told, 'gold')).toEqual({
      status: {
        modifyVolumeStatus: null,
        currentVolumeAttributesClassName: 'gold',
        conditions: [gone('ModifyingVolume'), gone('ModifyVolumeError')],
      },
    })
    expect(cancelled(told)).toEqual({ status: { conditions: [gone('ModifyingVolume')] } })
  })
})
