// What owners do with their own: nobody is asked, and nothing is sent by who does not lead.
import { describe, expect, test } from 'vitest'
import { type Answer, scripted } from '../testdata/scripted-api.ts'
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
