import { describe, expect, test } from 'vitest'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { DisruptionPermit } from '../api.ts'
import type { Target, TemplateChange } from '../intent.ts'
import { type Answer, failure, grantedPermit, scripted } from '../testdata/scripted-api.ts'
import { hasBegun } from './begun.ts'
import { jobAnew, jobOfCronJob, triggeredJobName } from './job-manifest.ts'
import { pauseRollout, resumeAtRest, resumeRollout } from './pause-rollout.ts'
import { createJob, replaceJob } from './replace-job.ts'
import { restart } from './restart.ts'
import { restartAt } from './restart-at.ts'
import { carries, changedTemplate, type Template, templatePatch } from './template-patch.ts'
import { triggerJob } from './trigger-job.ts'

const { signal } = new AbortController()
const cart: Target = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'uid-cart' }
const rollout: Target = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', namespace: 'shop', name: 'web', uid: 'uid-web' }
const cronJob: Target = { apiVersion: 'batch/v1', kind: 'CronJob', namespace: 'shop', name: 'nightly', uid: 'uid-nightly' }
const job: Target = { apiVersion: 'batch/v1', kind: 'Job', namespace: 'shop', name: 'import', uid: 'uid-import' }
const cartPath = '/apis/apps/v1/namespaces/shop/deployments/cart'
const webPath = '/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web'
const jobsPath = '/apis/batch/v1/namespaces/shop/jobs'
const ok = (body: object): Answer => ({ status: 200, body })
const variable = 'STAKATER_APP_CONFIG_CONFIGMAP'
const hash = '8a0e251f3cf965f6b2d11af19178fb20cbc6d403'
const env: TemplateChange = { env: [{ container: 'app', name: variable, value: hash }] }
const reload = (targets: readonly Target[], change: TemplateChange | null = env, spec: Partial<DisruptionPermit['spec']> = {}) =>
  ({
    requester: 'reload',
    verb: 'restart',
    purpose: 'reload',
    mark: 'none',
    fieldManager: 'Reloader',
    targets: [...targets],
    ...(change === null ? {} : { change }),
    ...spec,
  }) as const
const sentBody = (server: ReturnType<typeof scripted>, at = 0) =>
  JSON.parse(String(server.asked.filter(({ verb }) => verb !== 'GET')[at]?.body))

describe('a reload in env-vars mode', () => {
  test("writes the upstream's fields and nothing else, under its name", async () => {
    const server = scripted({ [`PATCH ${cartPath}`]: [ok({ kind: 'Deployment', metadata: { name: 'cart', generation: 2 } })] })
    await restart(server.context, grantedPermit(server, reload([cart])), cart, signal)
    expect(sentBody(server)).toEqual({
      metadata: { uid: 'uid-cart' },
      spec: { template: { spec: { containers: [{ name: 'app', env: [{ name: variable, value: hash, valueFrom: null }] }] } } },
    })
    expect(server.asked[0]?.query).toEqual({ timeout: '4s', fieldManager: 'Reloader', fieldValidation: 'Strict' })
  })

  const resize = {
    requester: 'rightsize',
    class: 'capacity',
    verb: 'resize',
    purpose: 'resize',
    reasons: [],
    idempotencyKey: 'r',
  } as const
  const sized = { resources: [{ container: 'app', requests: { cpu: '200m' } }] }
  test.each<[string, Partial<DisruptionPermit['spec']>, boolean]>([
    ['alone', {}, false],
    ['with a size that asks for the mark', { joined: [{ ...resize, change: sized }] }, true],
    ['with one that does not', { joined: [{ ...resize, change: sized, mark: 'none' }] }, false],
  ])('marks the template only for whoever goes along and needs it: %s', async (_name, spec, isMarked) => {
    const server = scripted({ [`PATCH ${cartPath}`]: [ok({ kind: 'Deployment', metadata: { name: 'cart' } })] })
    await restart(server.context, grantedPermit(server, reload([cart], env, spec)), cart, signal)
    expect(String(server.asked[0]?.body).includes('restartedAt')).toBe(isMarked)
  })
})

describe('a variable that goes', () => {
  const gone: TemplateChange = { removeEnv: [{ container: 'app', name: variable }] }
  test('is named to be deleted, by the names of container and variable', () => {
    expect(templatePatch(gone, undefined)).toEqual({
      spec: { containers: [{ name: 'app', env: [{ name: variable, $patch: 'delete' }] }] },
    })
  })

  const other = { name: 'OTHER', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }
  const container = (
    ...list: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[]
  ): Template => ({
    spec: { containers: [{ name: 'app', image: 'x', env: [...list] }] },
  })
  // biome-ignore format: a table
  test.each<[string, Template, TemplateChange, Template]>([
    ['there',                container({ name: variable, value: 'a' }, other), gone,                                                                            container(other)],
    ['not there',            container(other),                                 gone,                                                                            container(other)],
    ['replaced in its place', container({ name: variable, value: 'a' }, other), env,                                                                            container({ name: variable, value: hash }, other)],
    ['a source gives way',   container(other),                                 { env: [{ container: 'app', name: 'OTHER', value: 'x' }] },                      container({ name: 'OTHER', value: 'x' })],
  ])('in a template: %s', (_name, before, change, after) => {
    expect(changedTemplate(before, change, undefined)).toEqual({ ok: true, template: after })
    expect(carries(after, change)).toBe(true)
  })

  test('a container that is not there is said', () => {
    expect(changedTemplate({ spec: { containers: [] } }, env, undefined)).toEqual({
      ok: false,
      message: 'its template has no container "app"',
    })
    expect(carries({ spec: { containers: [] } }, env)).toBe(false)
  })
})

describe('an Argo Rollout', () => {
  const template = {
    metadata: { annotations: { kept: 'yes' } },
    spec: {
      containers: [
        { name: 'app', image: 'web' },
        { name: 'proxy', image: 'p' },
      ],
    },
  }
  const found = (resourceVersion = '5', uid = 'uid-web', spec: object = { template }) =>
    ok({ kind: 'Rollout', metadata: { name: 'web', uid, resourceVersion, generation: 3 }, spec })

  test('gets its containers whole, on the version that was read; again where somebody was faster', async () => {
    const server = scripted({
      [`GET ${webPath}`]: [found(), found('6')],
      [`PATCH ${webPath}`]: [failure(409, 'Conflict', 'changed'), found('7')],
    })
    const asked = restart(server.context, grantedPermit(server, reload([rollout])), rollout, signal)
    await server.clock.advance(100)
    const outcome = await asked
    expect(outcome).toMatchObject({ kind: 'restarted', generation: 3 })
    expect(sentBody(server, 1)).toEqual({
      metadata: { uid: 'uid-web', resourceVersion: '6' },
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'app', image: 'web', env: [{ name: variable, value: hash }] },
              { name: 'proxy', image: 'p' },
            ],
          },
        },
      },
    })
  })

  // biome-ignore format: a table
  test.each<[string, Answer, object]>([
    ['another of its name',          found('5', 'uid-other'),                            { kind: 'refused', message: 'another Rollout has its name' }],
    ['a template somewhere else',    found('5', 'uid-web', { workloadRef: {} }),         { kind: 'refused', message: 'its template lies in the workload that spec.workloadRef names' }],
    ['gone',                         failure(404, 'NotFound', 'not found'),              { kind: 'gone' }],
  ])('that cannot be restarted: %s', async (_name, answer, expected) => {
    const server = scripted({ [`GET ${webPath}`]: [answer] })
    expect(await restart(server.context, grantedPermit(server, reload([rollout])), rollout, signal)).toEqual(expected)
  })

  test('restarts without a change of its template, in whole seconds, twice the same', async () => {
    const server = scripted({ [`PATCH ${webPath}`]: [found()] })
    const permit = grantedPermit(server, reload([rollout], null))
    for (const _ of [1, 2]) expect(await restartAt(server.context, permit, rollout, signal)).toEqual({ kind: 'restarted' })
    expect([0, 1].map(at => sentBody(server, at).spec)).toEqual([
      { restartAt: '2026-03-02T04:00:00Z' },
      { restartAt: '2026-03-02T04:00:00Z' },
    ])
  })
})

describe('a change that was decided on a version', () => {
  const conflict = failure(409, 'Conflict', 'changed')
  const found = (resourceVersion: string, text: string, uid = 'uid-cart') =>
    ok({
      kind: 'Deployment',
      metadata: { name: 'cart', uid, resourceVersion, generation: 3 },
      spec: { template: { metadata: { annotations: { from: text } } } },
    })
  const basis = { resourceVersion: '5', holds: (workload: KubeObject) => JSON.stringify(workload).includes('"mine"') }
  const run = async (gets: readonly Answer[], patches: readonly Answer[]) => {
    const server = scripted({ [`GET ${cartPath}`]: gets, [`PATCH ${cartPath}`]: patches })
    const asked = restart(server.context, grantedPermit(server, reload([cart])), cart, signal, { basis })
    await server.clock.advance(100)
    const outcome = await asked
    const versions = server.asked.flatMap(({ verb, body }) =>
      verb === 'PATCH' ? [JSON.parse(String(body)).metadata.resourceVersion] : [],
    )
    return { outcome, versions }
  }

  test('is written on that', async () => {
    expect(await run([], [found('6', 'mine')])).toMatchObject({ outcome: { kind: 'restarted', generation: 3 }, versions: ['5'] })
  })

  test('or on a later one that says the same', async () => {
    const { outcome, versions } = await run([found('7', 'mine'), found('8', 'mine')], [conflict, conflict, found('9', 'mine')])
    expect({ outcome, versions }).toMatchObject({ outcome: { kind: 'restarted', generation: 3 }, versions: ['5', '7', '8'] })
  })

  // biome-ignore format: a table
  test.each([
    ['somebody wrote the same',   found('7', 'another')],
    ['another has its name',      found('7', 'mine', 'uid-other')],
  ])('and not where %s', async (_name, answer) => {
    const { outcome, versions } = await run([answer], [conflict])
    expect({ outcome, versions }).toMatchObject({ outcome: { kind: 'refused', overtaken: true }, versions: ['5'] })
  })

  test('five times at most', async () => {
    const { outcome, versions } = await run([found('7', 'mine')], [conflict])
    expect(outcome).toEqual({ kind: 'refused', message: 'changed' })
    expect(versions).toHaveLength(5)
  })
})

describe('a kind of somebody else', () => {
  const service: Target = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    namespace: 'shop',
    name: 'api',
    uid: 'uid-api',
  }
  const path = '/apis/serving.knative.dev/v1/namespaces/shop/services/api'
  const custom = {
    resource: { group: 'serving.knative.dev', version: 'v1', resource: 'services' },
    path: ['spec', 'pods', 'template'],
  }
  const found = (template: unknown) =>
    ok({
      kind: 'Service',
      metadata: { name: 'api', uid: 'uid-api', resourceVersion: '5' },
      spec: { size: 2, pods: { template } },
    })

  test('gets its containers whole where its template lies', async () => {
    const template = { spec: { containers: [{ name: 'app', image: 'a' }] } }
    const server = scripted({ [`GET ${path}`]: [found(template)], [`PATCH ${path}`]: [found(template)] })
    const outcome = await restart(server.context, grantedPermit(server, reload([service])), service, signal, { custom })
    expect(outcome).toMatchObject({ kind: 'restarted', generation: 0 })
    expect(sentBody(server)).toEqual({
      metadata: { uid: 'uid-api', resourceVersion: '5' },
      spec: {
        pods: { template: { spec: { containers: [{ name: 'app', image: 'a', env: [{ name: variable, value: hash }] }] } } },
      },
    })
  })

  // biome-ignore format: a table
  test.each<[string, unknown]>([
    ['none',                     undefined],
    ['no containers',            { spec: {} }],
    ['one without a name',       { spec: { containers: [{ image: 'a' }] } }],
    ['one that is a number',     { spec: { containers: [1, { name: 'app' }] } }],
    ['variables that are none',  { spec: { containers: [{ name: 'app', env: 'X=1' }] } }],
  ])('with a template that is %s is refused', async (_name, template) => {
    const server = scripted({ [`GET ${path}`]: [found(template)] })
    const outcome = await restart(server.context, grantedPermit(server, reload([service])), service, signal, { custom })
    expect(outcome).toEqual({ kind: 'refused', message: 'it has no pod template with named containers at spec.pods.template' })
  })
})

describe('a pause', () => {
  const annotation = 'deployment.reloader.stakater.com/paused-at'
  const at = '2026-03-02T04:00:00Z'
  const found = (paused: boolean | undefined, annotations: object = {}, uid = 'uid-cart') =>
    ok({
      kind: 'Deployment',
      metadata: { name: 'cart', uid, resourceVersion: '5', annotations },
      spec: paused === undefined ? {} : { paused },
    })
  // biome-ignore format: a table
  test.each<[string, 'pause' | 'resume', Answer, object, object | undefined]>([
    ['of what runs',                   'pause',  found(undefined),                  { kind: 'paused' },                       { metadata: { uid: 'uid-cart', resourceVersion: '5', annotations: { [annotation]: at } }, spec: { paused: true } }],
    ['again',                          'pause',  found(true, { [annotation]: 'x' }), { kind: 'already-paused', since: 'x' },   undefined],
    ['of what somebody else paused',   'pause',  found(true),                       { kind: 'paused-by-other' },              undefined],
    ['of another by its name',         'pause',  found(false, {}, 'uid-other'),     { kind: 'gone' },                         undefined],
    ['of what is gone',                'pause',  failure(404, 'NotFound', 'no'),    { kind: 'gone' },                         undefined],
    ['is over',                        'resume', found(true, { [annotation]: 'x' }), { kind: 'resumed' },                      { metadata: { uid: 'uid-cart', resourceVersion: '5', annotations: { [annotation]: null } }, spec: { paused: false } }],
    ['is over already',                'resume', found(false),                      { kind: 'not-paused' },                   undefined],
    ['by somebody else is theirs',     'resume', found(true),                       { kind: 'not-paused' },                   undefined],
  ])('%s', async (_name, which, answer, expected, body) => {
    const server = scripted({ [`GET ${cartPath}`]: [answer], [`PATCH ${cartPath}`]: [found(true)] })
    const permit = grantedPermit(server, reload([cart], null))
    const pause = { deployment: cart, annotation, at }
    const outcome = which === 'pause' ? pauseRollout(server.context, permit, pause, signal) : resumeRollout(server.context, permit, pause, signal)
    expect(await outcome).toEqual(body === undefined ? expected : { ...expected, object: expect.objectContaining({ kind: 'Deployment' }) })
    const writes = server.asked.filter(({ verb }) => verb !== 'GET')
    expect(writes.map(one => JSON.parse(String(one.body)))).toEqual(body === undefined ? [] : [body])
  })

  // biome-ignore format: a table
  test.each([
    ['at rest needs no permit',      0, { kind: 'resumed' },     1],
    ['of what runs again does',      1, { kind: 'refused' },     0],
  ])('that is over %s', async (_name, replicas, expected, writes) => {
    const metadata = { name: 'cart', uid: 'uid-cart', resourceVersion: '5', annotations: { [annotation]: at } }
    const server = scripted({
      [`GET ${cartPath}`]: [ok({ kind: 'Deployment', metadata, spec: { paused: true, replicas } })],
      [`PATCH ${cartPath}`]: [found(false)],
    })
    const by = { requester: 'reload', fieldManager: 'Reloader' }
    expect(await resumeAtRest(server.context, { deployment: cart, annotation }, by, signal)).toMatchObject(expected)
    const sent = server.asked.filter(({ verb }) => verb === 'PATCH')
    expect(sent.map(({ body }) => JSON.parse(String(body)).metadata.resourceVersion)).toEqual(Array(writes).fill('5'))
  })

  test('of what changes all the time is given up after some tries', async () => {
    const server = scripted({ [`GET ${cartPath}`]: [found(false)], [`PATCH ${cartPath}`]: [failure(409, 'Conflict', 'changed')] })
    const outcome = await pauseRollout(
      server.context,
      grantedPermit(server, reload([cart], null)),
      { deployment: cart, annotation, at },
      signal,
    )
    expect(outcome).toMatchObject({ kind: 'refused' })
    expect(server.asked.filter(({ verb }) => verb === 'PATCH')).toHaveLength(5)
  })
})

describe('a Job', () => {
  const template = { spec: { containers: [{ name: 'app', image: 'x' }] } }
  const changed = { spec: { containers: [{ name: 'app', image: 'x', env: [{ name: variable, value: hash }] }] } }
  const source = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: 'nightly', namespace: 'shop', uid: 'uid-nightly' },
    spec: {
      suspend: true,
      jobTemplate: {
        metadata: { labels: { a: 'b' }, annotations: { 'cronjob.kubernetes.io/instantiate': 'ours' } },
        spec: { backoffLimit: 1, template },
      },
    },
  }

  test('of a CronJob: its template with the change, owned by it; what the template says of annotations wins', () => {
    expect(jobOfCronJob(source, env, 'nightly-1')).toEqual({
      ok: true,
      job: {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: {
          name: 'nightly-1',
          generateName: 'nightly-',
          namespace: 'shop',
          labels: { a: 'b' },
          annotations: { 'cronjob.kubernetes.io/instantiate': 'ours' },
          ownerReferences: [
            {
              apiVersion: 'batch/v1',
              kind: 'CronJob',
              name: 'nightly',
              uid: 'uid-nightly',
              controller: true,
              blockOwnerDeletion: true,
            },
          ],
        },
        spec: { backoffLimit: 1, template: changed },
      },
    })
    expect(jobOfCronJob({ apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'x' } }, env, 'y')).toMatchObject({
      ok: false,
    })
  })

  test('that runs again is what it was before the server had it', () => {
    const labels = {
      'controller-uid': 'x',
      'batch.kubernetes.io/controller-uid': 'x',
      'job-name': 'import',
      'batch.kubernetes.io/job-name': 'import',
      app: 'import',
    }
    const before = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: 'import',
        namespace: 'shop',
        uid: 'u',
        resourceVersion: '9',
        creationTimestamp: 'x',
        labels: { app: 'import' },
      },
      spec: { selector: { matchLabels: {} }, parallelism: 2, template: { ...template, metadata: { labels } } },
      status: { active: 1 },
    }
    expect(jobAnew(before, env)).toEqual({
      ok: true,
      job: {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'import', namespace: 'shop', labels: { app: 'import' } },
        spec: { parallelism: 2, template: { ...changed, metadata: { labels: { app: 'import' } } } },
      },
    })
  })

  test('that selects its pods itself keeps its selector and their labels', () => {
    const spec = {
      manualSelector: true,
      selector: { matchLabels: { 'job-name': 'mine' } },
      template: { ...template, metadata: { labels: { 'job-name': 'mine' } } },
    }
    const made = jobAnew({ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'import' }, spec }, env)
    expect(made).toMatchObject({
      ok: true,
      job: { spec: { ...spec, template: { ...changed, ...spec.template, spec: changed.spec } } },
    })
  })

  // biome-ignore format: a table
  test.each<[string, Answer, Answer, object]>([
    ['made now',                    ok({ kind: 'Job', metadata: { name: 'x' } }),         failure(404, 'NotFound', 'x'),                                                                       { kind: 'triggered' }],
    ['made by the first call',      failure(409, 'AlreadyExists', 'already exists'),      ok({ kind: 'Job', metadata: { name: 'x', ownerReferences: [{ uid: 'uid-nightly' }] } }),            { kind: 'triggered' }],
    ["somebody else's of its name", failure(409, 'AlreadyExists', 'already exists'),      ok({ kind: 'Job', metadata: { name: 'x' } }),                                                        { kind: 'refused' }],
    ['that a quota forbids',        failure(403, 'Forbidden', 'exceeded quota'),          failure(404, 'NotFound', 'x'),                                                                       { kind: 'refused', message: 'exceeded quota' }],
  ])('of a CronJob, %s', async (_name, created, there, expected) => {
    const name = triggeredJobName('nightly', { requester: 'reload', idempotencyKey: 'k' })
    const server = scripted({ 'GET /apis/batch/v1/namespaces/shop/cronjobs/nightly': [ok(source)], [`POST ${jobsPath}`]: [created], [`GET ${jobsPath}/${name}`]: [there] })
    expect(await triggerJob(server.context, grantedPermit(server, reload([cronJob])), cronJob, signal)).toMatchObject(expected)
    expect(sentBody(server).metadata.name).toBe(name)
  })

  const running = ok({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'import', namespace: 'shop', uid: 'uid-import', resourceVersion: '7' },
    spec: { template },
  })
  // biome-ignore format: a table
  test.each<[string, Answer, readonly Answer[], object, number, number]>([
    ['goes and comes back',                                     running, [ok({ metadata: { name: 'import' } }), ok({ metadata: { name: 'import' } })],                                                      { kind: 'replaced' },                                1, 1],
    ['that the server would not take again stays',              running, [failure(403, 'Forbidden', 'quota')],                                  { kind: 'refused', message: 'quota' },               0, 0],
    ['that was taken at first, then not: its manifest is left', running, [ok({ metadata: { name: 'import' } }), failure(403, 'Forbidden', 'quota')],                          { kind: 'deleted', message: 'quota' },               1, 1],
    ['of another UID is another',                               ok({ kind: 'Job', metadata: { name: 'import', uid: 'u', resourceVersion: '1' }, spec: { template } }), [ok({ metadata: { name: 'import' } })], { kind: 'gone' },    0, 0],
  ])('that is replaced %s', async (_name, read, creates, expected, deletes, keeps) => {
    const server = scripted({ [`GET ${jobsPath}/import`]: [read], [`POST ${jobsPath}`]: creates, [`DELETE ${jobsPath}/import`]: [ok({ kind: 'Status' })] })
    const kept: object[] = []
    const outcome = await replaceJob(server.context, grantedPermit(server, reload([job])), { job, keep: async one => void kept.push(one) }, signal)
    expect(outcome).toMatchObject(expected)
    expect([server.asked.filter(({ verb }) => verb === 'DELETE').length, kept.length]).toEqual([deletes, keeps])
  })

  test('whose manifest cannot be kept is not deleted', async () => {
    const server = scripted({
      [`GET ${jobsPath}/import`]: [running],
      [`POST ${jobsPath}`]: [ok({ metadata: { name: 'import' } })],
    })
    const keep = () => Promise.reject(new Error('no room'))
    await expect(replaceJob(server.context, grantedPermit(server, reload([job])), { job, keep }, signal)).rejects.toThrow(
      'no room',
    )
    expect(server.asked.some(({ verb }) => verb === 'DELETE')).toBe(false)
  })

  // biome-ignore format: a table
  test.each<[string, Answer, object]>([
    ['is there: done',                     ok({ kind: 'Job', metadata: { name: 'import', uid: 'uid-new' } }),                                  { kind: 'created' }],
    ['is the one before, on its way out',  ok({ kind: 'Job', metadata: { name: 'import', uid: 'uid-import', deletionTimestamp: 'x' } }),      { kind: 'not-created', message: 'the Job before it is not gone yet' }],
  ])('whose successor is created later, and one %s', async (_name, there, expected) => {
    const server = scripted({ [`POST ${jobsPath}`]: [failure(409, 'AlreadyExists', 'x')], [`GET ${jobsPath}/import`]: [there] })
    const manifest = { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'import' } }
    expect(await createJob(server.context, grantedPermit(server, reload([job])), { job, manifest }, signal)).toEqual(expected)
  })
})

describe('what a new leader sees of them', () => {
  const recordFor = (target: Target, change: TemplateChange | null = env) => {
    const server = scripted({})
    const { record } = grantedPermit(server, reload([target], change))
    return record
  }
  const workload = (spec: object, uid = 'uid'): KubeObject => ({ apiVersion: 'x', kind: 'x', metadata: { name: 'x', uid }, spec })
  const withEnv = (value: string) => ({ template: { spec: { containers: [{ name: 'app', env: [{ name: variable, value }] }] } } })
  // biome-ignore format: a table
  test.each<[string, Target, TemplateChange | null, KubeObject | undefined, boolean]>([
    ['a Deployment that carries the change',          cart,    env,       workload(withEnv(hash)),                          true],
    ['one that carries another',                      cart,    env,       workload(withEnv('older')),                       false],
    ['one that is gone',                              cart,    env,       undefined,                                        false],
    ['one that was to be resumed: nothing tells',     cart,    null,      workload({}),                                     true],
    ['a Rollout that was restarted at the time',      rollout, env,       workload({ ...withEnv('older'), restartAt: '2026-03-02T04:00:00Z' }), true],
    ['a Job of another UID',                          job,     env,       workload({}, 'uid-new'),                          true],
    ['the Job itself',                                job,     env,       workload({}, 'uid-import'),                       false],
  ])('%s', (_name, target, change, there, expected) => {
    expect(hasBegun(recordFor(target, change), () => there)).toBe(expected)
  })

  test('of a CronJob: its Job, by name', () => {
    const record = recordFor(cronJob)
    const name = triggeredJobName('nightly', record)
    expect(hasBegun(record, target => (target.kind === 'Job' && target.name === name ? workload({}) : undefined))).toBe(true)
    expect(hasBegun(record, target => (target.kind === 'CronJob' ? workload({}) : undefined))).toBe(false)
  })
})
