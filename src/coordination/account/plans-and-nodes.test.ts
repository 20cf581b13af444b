// Accounts of what is no workload: plans, policies, nodes; and what plans say of workloads.
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import {
  accountIn,
  ago,
  cluster,
  deployment,
  event,
  hour,
  minute,
  nowMs,
  permit,
  plan,
  policy,
  shortAnswers,
  shortEntries,
} from './testdata/shop.ts'

describe('a plan', () => {
  test('that waits for approval says how to give it, and what its moves would meet', () => {
    const account = accountIn(cluster(...deployment(), plan({ approved: false })), 'plan/p-1')
    expect(shortEntries(account)).toEqual(['-30 min deschedule - waits: plan p-1 of policy p'])
    expect(shortAnswers(account)).toEqual(['move Granted'])
  })

  test('that runs: its moves wait for what holds them', () => {
    const objects = cluster(...deployment({ owner: 'keda' }), plan({ status: { steps: [{ id: 'm01', state: 'Waiting' }] } }))
    expect(shortAnswers(accountIn(objects, 'rebalanceplans.ballast.dev/p-1'))).toEqual(['move Denied owner'])
  })

  test('counts its own steps once: they hold none of its moves in a cool-down', () => {
    const other = permit({ grantedAgo: 10 * minute, key: 'uid-p-1/m00', batch: 'p-1' })
    const foreign = permit({ grantedAgo: 10 * minute, key: 'uid-p-0/m00', batch: 'p-0' })
    expect(shortAnswers(accountIn(cluster(...deployment(), plan({}), other), 'plan/p-1'))).toEqual(['move Granted'])
    expect(shortAnswers(accountIn(cluster(...deployment(), plan({}), foreign), 'plan/p-1'))).toEqual([
      'move Queued cool-down +351 min',
    ])
  })

  test('that is over: its end, its steps with permits and those without', () => {
    const status = {
      phase: 'Failed',
      message: 'nothing more may be moved',
      finishedAt: ago(20 * minute),
      steps: [{ id: 'm01', state: 'Skipped', reason: 'NotOurs', message: 'it belongs to keda' }],
    }
    const account = accountIn(
      cluster(...deployment(), plan({ status }), permit({ grantedAgo: 25 * minute, key: 'uid-p-1/m02' })),
      'plan/p-1',
    )
    expect(shortEntries(account)).toEqual([
      '-30 min deschedule - told: plan p-1 of policy p',
      '-25 min deschedule Granted done: evict Pod shop/cart-5d8f-z',
      '-20 min deschedule - not-done: plan p-1 of policy p',
      '-20 min deschedule - not-done: move m01 of plan p-1 of policy p',
    ])
    expect(account.entries.at(-1)).toMatchObject({
      isLatest: true,
      reason: 'NotOurs',
      sentence: expect.stringContaining('it belongs to keda'),
    })
    expect(account.now).toEqual([])
  })
})

describe('a workload in plans', () => {
  test('is proposed, then left out: the event has the time, the step is not told twice', () => {
    const status = {
      phase: 'Succeeded',
      finishedAt: ago(20 * minute),
      steps: [{ id: 'm01', state: 'Skipped', reason: 'CoolDown', message: 'too soon' }],
    }
    const left = event({
      agoMs: 25 * minute,
      reason: 'RebalanceSkipped',
      note: 'move of pod cart-5d8f-a from n1 left out: too soon [CoolDown]',
      controller: 'ballast.dev/deschedule',
    })
    const entries = (...more: readonly KubeObject[]) =>
      shortEntries(accountIn(cluster(...deployment(), plan({ status }), ...more), 'deploy/cart'))
    expect(entries(left)).toEqual([
      '-30 min deschedule - told: plan p-1 of policy p',
      '-25 min deschedule - not-done: RebalanceSkipped Deployment shop/cart',
    ])
    expect(entries()).toEqual([
      '-30 min deschedule - told: plan p-1 of policy p',
      '-20 min deschedule - not-done: move m01 of plan p-1 of policy p',
    ])
  })

  test('stays for the reasons of the newest plan of each policy', () => {
    const held = (reason: string) => ({
      unmovable: [{ workload: 'Deployment shop/cart', pod: 'shop/cart-5d8f-b', reason, message: `because of ${reason}` }],
    })
    const objects = cluster(
      ...deployment(),
      plan({ name: 'p-1', status: held('NoPDB') }),
      plan({ name: 'p-2', madeAgo: 10 * minute, status: held('VolumePinned:data-0') }),
    )
    const stays = accountIn(objects, 'deploy/cart').entries.filter(({ outcome }) => outcome === 'not-done')
    expect(stays).toMatchObject([
      {
        what: 'plan p-2 of policy p',
        reason: 'VolumePinned:data-0',
        sentence: 'leaves pod shop/cart-5d8f-b where it is: because of VolumePinned:data-0',
        wayOut: expect.stringContaining('data-0'),
      },
    ])
  })

  test('is left by the planner for what the arbiter does not ask', () => {
    const objects = cluster(...deployment({ annotations: {} }), policy({ scope: { namespaces: { exclude: ['shop'] } } }))
    const [move] = accountIn(objects, 'deploy/cart').now
    expect(move).toMatchObject({ decision: 'Granted', planner: [{ policy: 'p', reason: 'NamespaceExcluded' }] })
  })

  test('hears once what planner and arbiter say alike', () => {
    const objects = cluster(...deployment({ owner: 'keda', budget: false }), policy({ coordination: { requirePDB: true } }))
    const [move] = accountIn(objects, 'deploy/cart').now
    expect(move?.objections.map(({ rule }) => rule)).toEqual(['owner', 'budget-required'])
    expect(move?.planner).toEqual([])
  })
})

describe('a policy', () => {
  test('tells its plans and conditions', () => {
    const conditions = [{ type: 'Valid', status: 'False', reason: 'InvalidSpec', message: 'node n9 is not there' }]
    const account = accountIn(
      cluster(plan({ status: { phase: 'Succeeded', finishedAt: ago(minute) } }), policy({}, { conditions })),
      'policy/p',
    )
    expect(account.about).toContain('Valid False (InvalidSpec): node n9 is not there')
    expect(shortEntries(account)).toEqual([
      '-30 min deschedule - told: plan p-1 of policy p',
      '-1 min deschedule - done: plan p-1 of policy p',
    ])
  })
})

describe('a node', () => {
  test('tells permits, plans and events, and what a drain of it would meet', () => {
    const notReady = event({
      agoMs: hour,
      reason: 'NodeNotReady',
      note: 'Node n1 status is now: NodeNotReady',
      controller: 'node-controller',
      regarding: { kind: 'Node', name: 'n1' },
    })
    const account = accountIn(cluster(...deployment(), permit(), plan({}), notReady), 'node/n1')
    expect(shortEntries(account)).toEqual([
      '-60 min node-controller - told: NodeNotReady Node n1',
      '-30 min deschedule - told: plan p-1 of policy p',
      '-10 min deschedule Granted done: evict Pod shop/cart-5d8f-z',
    ])
    expect(shortAnswers(account)).toEqual(['drain Granted', 'taint Granted'])
    expect(account.about).toEqual(['ready, open to new pods, 1 pods', 'no taints'])
  })

  test('is asked about by whoever drains or taints nodes, each in its own words', () => {
    const { now } = accountIn(cluster(...deployment()), 'node/n1')
    expect(now.map(({ requester, words }) => `${requester}: ${words}`)).toEqual(['provision: drain it', 'isolate: taint it'])
  })

  test('under a drain is in one hand', () => {
    const drain = permit({
      verb: 'drain',
      requester: 'isolate',
      releasedAgo: undefined,
      grantedAgo: minute,
      target: { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'node-n1' },
    })
    expect(shortAnswers(accountIn(cluster(...deployment(), drain), 'node/n1'))[0]).toMatch(/^drain Queued (node-lock|zone-drain)/)
  })
})

describe('an isolation that waits', () => {
  const isolation = {
    stage: 'Tolerations',
    phase: 'Waiting',
    message: '1 core workload lacks the toleration',
    nodes: ['n1'],
    blocked: [
      {
        subject: 'Deployment shop/cart',
        reason: 'NoToleration',
        message: 'it does not tolerate the taint',
        remedy: 'spec:\n  template: {}',
      },
      { subject: 'Pod shop/web-5d8f-a', reason: 'VolumePinned', message: 'its volume cannot leave n1' },
    ],
    undo: ['kubectl taint node n1 node-role.kubernetes.io/control-plane-'],
    conditions: [{ type: 'TolerationsReady', status: 'False', reason: 'Waiting', lastTransitionTime: ago(40 * minute) }],
  }
  const objects = cluster(...deployment(), ...deployment({ name: 'web' }), policy({}, { isolation }))

  test('says of a workload, or a pod of it, what it waits for', () => {
    const [cart] = accountIn(objects, 'deploy/cart').entries
    expect(cart).toMatchObject({
      who: 'isolate',
      outcome: 'waits',
      isLatest: true,
      reason: 'NoToleration',
      wayOut: 'spec:\n  template: {}',
    })
    const [web] = accountIn(objects, 'deploy/web').entries
    expect(web?.sentence).toBe('Pod shop/web-5d8f-a: its volume cannot leave n1')
  })

  test('says of its node and policy how far it is', () => {
    const stage = 'isolation of n1 by policy p: stage Tolerations, Waiting, 2 in its way: 1 core workload lacks the toleration'
    expect(accountIn(objects, 'node/n1').about).toContain(stage)
    expect(accountIn(objects, 'node/n2').about).not.toContain(stage)
    expect(accountIn(objects, 'policy/p').about).toEqual(
      expect.arrayContaining([stage, 'to take it back: kubectl taint node n1 node-role.kubernetes.io/control-plane-']),
    )
  })

  test('was not written down for a time before', () => {
    expect(accountIn(objects, 'deploy/cart', { atMs: nowMs - minute }).entries).toEqual([])
  })
})
