// What owners do with their own: nobody is asked, and nothing is sent by who does not lead.
import { describe, expect, test } from 'vitest'
import { type Answer, scripted } from '../testdata/scripted-api.ts'
import { createOwnDaemonSet, updateOwnDaemonSet } from './own-daemon-sets.ts'
import { deleteOwnJob, startOwnJob } from './own-jobs.ts'
import { scaleOwn } from './scale-own.ts'

const { signal } = new AbortController()
const jobs = '/apis/batch/v1/namespaces/shop/jobs'
const scale = '/apis/apps/v1/namespaces/shop/deployments/web/scale'
const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: '', generateName: 'work-', namespace: 'shop' } }
const made = { ...job, metadata: { ...job.metadata, name: 'work-abcde', uid: 'uid-a' } }
const refusal = (code: number, reason: string): Answer => ({
  status: code,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason },
})
const target = { resource: { group: 'apps', version: 'v1', resource: 'deployments' }, namespace: 'shop', name: 'web' }
const scaleOf = (replicas: number): Answer => ({
  status: 200,
  body: {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name: 'web', namespace: 'shop', resourceVersion: '7' },
    spec: { replicas },
  },
})

const sets = '/apis/apps/v1/namespaces/plugins/daemonsets'
const wanted = { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'gpu', namespace: 'plugins' } }
const there = { ...wanted, metadata: { ...wanted.metadata, uid: 'uid-d', resourceVersion: '7' } }
const by = { requester: 'devices', signal }

const effects: readonly (readonly [
  string,
  (context: ReturnType<typeof scripted>['context']) => Promise<unknown>,
  Parameters<typeof scripted>[0],
])[] = [
  [
    'startOwnJob',
    context => startOwnJob(context, job, { requester: 'autoscale', signal }),
    { [`POST ${jobs}`]: [{ status: 201, body: made }] },
  ],
  [
    'deleteOwnJob',
    context => deleteOwnJob(context, made, { propagationPolicy: 'Background', signal }),
    { [`DELETE ${jobs}/work-abcde`]: [{ status: 200, body: made }] },
  ],
  [
    'scaleOwn',
    context => scaleOwn(context, target, 3, { requester: 'autoscale', signal }),
    { [`GET ${scale}`]: [scaleOf(0)], [`PUT ${scale}`]: [scaleOf(3)] },
  ],
  [
    'createOwnDaemonSet',
    context => createOwnDaemonSet(context, wanted, by),
    { [`POST ${sets}`]: [{ status: 201, body: there }] },
  ],
  [
    'updateOwnDaemonSet',
    context => updateOwnDaemonSet(context, there, by),
    { [`PUT ${sets}/gpu`]: [{ status: 200, body: there }] },
  ],
]

describe('each of them', () => {
  for (const [name, act, script] of effects) {
    test(`${name} writes once`, async () => {
      const server = scripted(script)
      await act(server.context)
      expect(server.asked.filter(({ verb }) => verb !== 'GET')).toHaveLength(1)
    })
    test(`${name} sends nothing when it does not lead`, async () => {
      const server = scripted(script)
      server.leads = false
      await expect(act(server.context)).rejects.toThrow('the lease is held by another')
      expect(server.asked).toEqual([])
    })
  }
})

test('a start whose answer is lost is not sent again', async () => {
  const server = scripted({ [`POST ${jobs}`]: ['broken'] })
  await expect(startOwnJob(server.context, job, { requester: 'autoscale', signal })).rejects.toThrow(/connection reset/)
  expect(server.asked).toHaveLength(1)
})

for (const [what, answer] of [
  ['is gone', refusal(404, 'NotFound')],
  ['is another of its name', refusal(409, 'Conflict')],
] as const)
  test(`a Job that ${what} is left as it is`, async () => {
    const server = scripted({ [`DELETE ${jobs}/work-abcde`]: [answer] })
    await deleteOwnJob(server.context, made, { propagationPolicy: 'Background', signal })
    const [sent] = server.asked
    expect(JSON.parse(String(sent?.body))).toMatchObject({ preconditions: { uid: 'uid-a' }, propagationPolicy: 'Background' })
  })

test('a DaemonSet that is there, was written meanwhile or is gone is read anew, and nothing of another is lost', async () => {
  const taken = scripted({ [`POST ${sets}`]: [refusal(409, 'AlreadyExists')] })
  expect(await createOwnDaemonSet(taken.context, wanted, by)).toEqual({ kind: 'outdated' })
  for (const answer of [refusal(409, 'Conflict'), refusal(404, 'NotFound')]) {
    const server = scripted({ [`PUT ${sets}/gpu`]: [answer] })
    expect(await updateOwnDaemonSet(server.context, there, by)).toEqual({ kind: 'outdated' })
    expect(JSON.parse(String(server.asked[0]?.body))).toMatchObject({ metadata: { resourceVersion: '7' } })
  }
  const blind = scripted({})
  await expect(updateOwnDaemonSet(blind.context, wanted, by)).rejects.toThrow('has no version')
  expect(blind.asked).toEqual([])
})
