// Fronts that wait for a shorter time than a target takes to start.
import { match, ok } from 'node:assert'
import { Agent, request } from 'undici'
import { until } from '../../metrics/servers.ts'
import { untilHeld } from '../tried-target.ts'
import { host, type Trial } from './trials.ts'

/** More than a front, the machine's buffers and the gateway take from a client while its request is held. */
const longUploadBytes = 96 * 1024 * 1024
/** Against hanging only. */
const limitMs = 60_000

/** What a client is told in the end: a status with its text, or why there is none. */
interface End {
  readonly said: string
  readonly afterMs: number
}

async function asked(port: number, body?: Buffer): Promise<End> {
  const at = performance.now()
  const agent = new Agent({ headersTimeout: limitMs })
  const said = await request(`http://127.0.0.1:${port}/told`, {
    dispatcher: agent,
    headers: { host },
    method: body === undefined ? 'GET' : 'POST',
    body: body ?? null,
  }).then(
    async answer => `${answer.statusCode} ${await answer.body.text()}`,
    (error: unknown) => String(Reflect.get(Object(error), 'code') ?? error),
  )
  await agent.destroy()
  return { said, afterMs: performance.now() - at }
}

/** The front gives up: the client is told, the gateway forgets the request, and who asks again is answered. */
export async function cutShort({ target, door, front }: Trial, hastyMs: number): Promise<string> {
  await target.sleep(door)
  await untilHeld(door, 0)
  const first = asked(front.port)
  await untilHeld(door, 1)
  const { said, afterMs } = await first
  ok(said.startsWith('504 '), said)
  ok(afterMs >= hastyMs, `after ${afterMs} ms`)
  await untilHeld(door, 0)
  const again = asked(front.port)
  await untilHeld(door, 1)
  await target.wake()
  const second = await again
  ok(second.said.startsWith('200 '), second.said)
  return `${front.name} of ${hastyMs} ms ends what waits with 504 after ${Math.round(afterMs)} ms, and who asks again is answered`
}

/** Who sends no body, or one that is long sent, is answered after `hastyMs` all the same; a long upload that waits for longer is not. */
export async function cutsUploads(hasty: Trial, patient: Trial, hastyMs: number): Promise<string> {
  const { said } = await heldLonger(hasty, hastyMs)
  ok(said.startsWith('200 '), said)
  const long = Buffer.alloc(longUploadBytes)
  const cut = await heldLonger(hasty, hastyMs, long)
  // Traefik takes it for an end of the client's or of the gateway's, as it comes.
  match(cut.said, /^(504|499) /)
  const whole = await heldLonger(patient, hastyMs, long)
  ok(whole.said.startsWith('200 ') && whole.said.includes(`"bytes":${longUploadBytes}`), whole.said)
  return `${hasty.front.name}'s readTimeout of ${hastyMs} ms ends an upload of ${longUploadBytes / 1024 / 1024} MiB that waits with ${cut.said.slice(0, 3)}, and no request without a body`
}

async function heldLonger({ target, door, front }: Trial, hastyMs: number, body?: Buffer): Promise<End> {
  await target.sleep(door)
  await untilHeld(door, 0)
  const at = performance.now()
  const one = asked(front.port, body)
  await untilHeld(door, 1)
  await until('the time-out to be over', () => performance.now() - at > hastyMs * 1.5)
  await target.wake()
  return await one
}
