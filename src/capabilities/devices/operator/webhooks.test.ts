// Pods with FPGAs while the names of functions cannot be read, or not yet.
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { VirtualClock } from '#kube/clock.ts'
import { Informers } from '#kube/informers/informer.ts'
import type { AdmissionRequest, MutatingAnswer, Webhook } from '#kube/server/admission.ts'
import { answer, broken, hanging, refusal, type Scripted, ScriptedTransport, watchOf } from '#test/scripted-transport.ts'
import { devicesConfiguration } from '../config.ts'
import { startPluginWebhooks } from './webhooks.ts'

const listed = (items: readonly object[]) =>
  answer(200, { kind: 'List', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items })
const region = { metadata: { name: 'arria10', namespace: 'default', uid: 'r' }, spec: { interfaceId: 'ce489693' } }
const configuration = (devices: readonly string[]) => devicesConfiguration.parse({ operator: { enabled: true, devices } })

interface Site extends AsyncDisposable {
  readonly clock: VirtualClock
  readonly webhooks: readonly Webhook[]
  readonly part: Awaited<ReturnType<typeof startPluginWebhooks>>
  /** What a pod is answered that asks for one of `name`, after so many milliseconds at most. */
  ask(name: string, withinMs: number): Promise<MutatingAnswer | undefined>
}

/** A server that answers about functions by `functions`, and has one region. */
async function site(functions: () => Scripted, devices: readonly string[] = ['fpga']): Promise<Site> {
  const clock = new VirtualClock(0)
  const transport = new ScriptedTransport(({ path, query }) => {
    if (path.includes('acceleratorfunctions')) return functions()
    return query['watch'] === 'true' ? watchOf([], 'stay') : listed([region])
  })
  const stop = new AbortController()
  const informers = new Informers(openApi(transport, { clock, userAgent: 'test' }), {
    clock,
    random: () => 0,
    watchList: 'off',
    signal: stop.signal,
  })
  const webhooks: Webhook[] = []
  const endpoint = {
    clientConfig: () => ({}),
    serve: (webhook: Webhook) => {
      webhooks.push(webhook)
      return { [Symbol.dispose]: () => void webhooks.splice(webhooks.indexOf(webhook), 1) }
    },
  }
  const part = await startPluginWebhooks({ webhooks: endpoint, informers, clock }, configuration(devices))
  return {
    clock,
    webhooks,
    part,
    async ask(name, withinMs) {
      const webhook = webhooks.find(one => one.name === 'fpga-pods.devices')
      const amounts = { [`fpga.intel.com/${name}`]: '1' }
      const object = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'p' },
        spec: { containers: [{ name: 'a', resources: { limits: amounts, requests: amounts } }] },
      }
      const request: AdmissionRequest = {
        uid: 'one',
        kind: { group: '', version: 'v1', kind: 'Pod' },
        resource: { group: '', version: 'v1', resource: 'pods' },
        namespace: 'default',
        operation: 'CREATE',
        userInfo: {},
        object,
      }
      let said: MutatingAnswer | undefined
      const asking = Promise.resolve(webhook?.handle(request, stop.signal)).then(one => {
        said = one
      })
      await clock.advance(withinMs)
      if (said !== undefined) await asking
      return said
    },
    async [Symbol.asyncDispose]() {
      await part[Symbol.asyncDispose]()
      stop.abort(new Error('the test is over'))
    },
  }
}

const expected =
  "container a: found fpga.intel.com/x, expected fpga.intel.com/ and the name of an AcceleratorFunction or FpgaRegion of the pod's namespace, or a device that one of them stands for"

test('where functions may not be read an unknown name may be one of them: whoever asks is to ask again', async () => {
  await using of = await site(() => refusal(403, 'Forbidden', 'no right to it'))
  await of.clock.advance(1_000)
  expect(await of.ask('x', 0)).toEqual({
    kind: 'denied',
    code: 503,
    reason: 'ServiceUnavailable',
    message: `${expected}; acceleratorfunctions are not read: no right to it`,
  })
  expect(await of.ask('arria10', 0)).toMatchObject({ kind: 'patched' })
})

test('where the kind is not served there are none', async () => {
  await using of = await site(() => refusal(404, 'NotFound', 'the server could not find the requested resource'))
  await of.clock.advance(1_000)
  expect(await of.ask('x', 0)).toEqual({ kind: 'denied', message: expected })
  expect(await of.ask('arria10', 0)).toMatchObject({ kind: 'patched' })
})

test('a pod waits for the first look, and not for ever', async () => {
  await using of = await site(() => hanging)
  expect(await of.ask('x', 4_900)).toBeUndefined()
  expect(await of.ask('x', 5_000)).toMatchObject({
    code: 503,
    message: `${expected}; acceleratorfunctions are not read: the API server has not answered yet`,
  })
})

test('while the server cannot be reached, what is known is given', async () => {
  await using of = await site(() => broken())
  await of.clock.advance(1_000)
  expect(await of.ask('arria10', 5_000)).toMatchObject({ kind: 'patched' })
  expect(await of.ask('x', 5_000)).toMatchObject({ code: 503, message: expect.stringContaining('connect ECONNRESET') })
})

test('a pod that came first is answered as soon as functions are read', async () => {
  let isThere = false
  const spec = { interfaceId: 'ce489693', afuId: 'd8424dc4', mode: 'af' }
  const one = { metadata: { name: 'x', namespace: 'default', uid: 'f' }, spec }
  await using of = await site(() => (isThere ? listed([one]) : broken()))
  expect(await of.ask('x', 100)).toBeUndefined()
  isThere = true
  expect(await of.ask('x', 4_000)).toMatchObject({ kind: 'patched' })
})

test('nothing is read, and nobody answers, without FPGAs; a change of that starts the part anew', async () => {
  let reads = 0
  await using of = await site(() => {
    reads++
    return listed([])
  }, ['gpu'])
  await of.clock.advance(1_000)
  expect(reads).toBe(0)
  expect(of.webhooks.map(({ name }) => name)).toEqual(['objects.devices', 'objects.devices', 'pods.devices'])
  expect(await of.part.reconfigure(configuration(['gpu', 'npu']))).toBe('applied')
  expect(await of.part.reconfigure(configuration(['gpu', 'fpga']))).toBe('restart-part')
  await of.part[Symbol.asyncDispose]()
  expect(of.webhooks).toEqual([])
})
