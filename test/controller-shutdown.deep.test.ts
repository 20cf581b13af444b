// The end of a real `ballast controller`: what it still answers after SIGTERM, for how long, and with which code it ends.
import { Agent, request } from 'undici'
import { expect, test } from 'vitest'
import { openApi } from '#kube/client/api.ts'
import { systemClock } from '#kube/clock.ts'
import { textAt } from '#twin/json-value.ts'
import { startTwin } from '#twin/twin.ts'
import { controllerToken, installBallast } from '../src/deployment/install-ballast.ts'
import { enabledCapabilities } from '../src/process/enabled-capabilities.ts'
import { ControllerProcess, tokenKubeconfig } from './controller-process.ts'
import { freePort } from './real/control-plane/free-ports.ts'

const namespace = 'ballast-system'
const { signal } = new AbortController()
/** Against hanging only. */
const limitMs = 120_000
/** How long it answers on before it ends. */
const answeringMs = 5_000

async function openCluster() {
  await using opening = new AsyncDisposableStack()
  const twin = opening.use(await startTwin({ clock: systemClock, seed: 1, objects: [], listen: { port: 0 } }))
  const admin = openApi(twin.transport({ admin: true }), { clock: systemClock, userAgent: 'test admin' })
  opening.defer(() => admin.close())
  await installBallast(admin, { capabilities: enabledCapabilities, namespace, signal })
  const token = await controllerToken(admin, { namespace, seconds: 3_600, signal })
  const { file } = opening.use(tokenKubeconfig(await twin.kubeconfig(), token))
  const resources = opening.move()
  return {
    /** A process that says it is ready. */
    async start() {
      const health = await freePort()
      const webhooks = await freePort()
      const controller = new ControllerProcess(file, 'prefer', [
        ...['--health-probe-bind-address', `127.0.0.1:${health}`],
        ...['--webhook-host', `127.0.0.1:${webhooks}`, '--webhook-port', String(webhooks)],
      ])
      resources.defer(() => controller.kill('SIGKILL'))
      const status = (path: string) => statusOf(`http://127.0.0.1:${health}${path}`)
      await eventually(controller, async () => (await status('/readyz')) === 200)
      const [secret] = twin.access.list('secrets').filter(({ metadata }) => metadata.name === 'ballast-tls')
      const ca = Buffer.from(textAt(secret, 'data', 'ca.crt') ?? '', 'base64').toString()
      return { controller, status, callWebhook: () => statusOf(`https://127.0.0.1:${webhooks}/mutate/landing.deschedule`, ca) }
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

const goneCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET'])

/** Undefined where nobody listens, or who listened ends the connection. */
async function statusOf(url: string, ca?: string): Promise<number | undefined> {
  const agent = new Agent({ connect: ca === undefined ? {} : { ca } })
  try {
    const answer = await request(url, { dispatcher: agent, method: ca === undefined ? 'GET' : 'POST' })
    await answer.body.dump()
    return answer.statusCode
  } catch (error) {
    if (error instanceof Error && 'code' in error && goneCodes.has(String(error.code))) return undefined
    throw error
  } finally {
    await agent.destroy()
  }
}

async function eventually(controller: ControllerProcess, holds: () => Promise<boolean>): Promise<void> {
  const untilMs = systemClock.elapsed() + limitMs
  while (!(await holds())) {
    if (systemClock.elapsed() > untilMs) throw new Error(`not after ${limitMs / 1_000} s: ${controller.log}`)
    await systemClock.after(50)
  }
}

test.concurrent('after SIGTERM it is not ready, answers health and webhooks for five seconds more, and ends with 0', async () => {
  await using cluster = await openCluster()
  const { controller, status, callWebhook } = await cluster.start()
  // No JSON was sent: the webhook itself says so.
  expect([await status('/livez'), await callWebhook()]).toEqual([200, 415])
  const toldMs = systemClock.elapsed()
  controller.kill('SIGTERM')
  // As a launcher passes on what the whole group got: the same wish, not a second one.
  controller.kill('SIGHUP')
  await eventually(controller, async () => (await status('/readyz')) !== 200)
  let unheardMs: number | undefined
  const seen = new Set<string>()
  let isOver = false
  const ended = controller.ended.finally(() => {
    isOver = true
  })
  while (!isOver) {
    const answers = [await status('/livez'), await status('/readyz'), await status('/readyz/shutdown'), await callWebhook()]
    // Whatever is asked while it ends may be the first that nobody hears.
    if (answers.includes(undefined)) {
      unheardMs = systemClock.elapsed() - toldMs
      break
    }
    seen.add(answers.join())
    await systemClock.after(100)
  }
  expect(await ended).toEqual({ code: 0, signal: null })
  expect([...seen]).toEqual(['200,500,500,415'])
  // On a busy machine all of this is later, and none of it sooner.
  expect(unheardMs ?? systemClock.elapsed() - toldMs).toBeGreaterThan(answeringMs - 1_000)
})

test.concurrent('the second signal ends it at once, with 1', async () => {
  await using cluster = await openCluster()
  const { controller, status } = await cluster.start()
  const firstMs = systemClock.elapsed()
  controller.kill('SIGTERM')
  await eventually(controller, async () => (await status('/readyz')) !== 200)
  await eventually(controller, async () => systemClock.elapsed() - firstMs > 1_000)
  controller.kill('SIGTERM')
  // An orderly end, which takes five seconds, has 0.
  expect(await controller.ended).toEqual({ code: 1, signal: null })
})
