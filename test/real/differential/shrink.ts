// The smallest life that still shows a difference: requests are left out, then fields of their bodies, while the difference stays.
import type { Exchange } from './pair.ts'
import type { DifferentialRequest, Life } from './request.ts'

export interface Shrunk {
  readonly life: Life
  /** The exchange that differs. */
  readonly exchange: Exchange
}

/** Asks both servers a life of a number that no other had. */
export type AskAnew = (life: Life) => Promise<readonly Exchange[]>

const mostTries = 150

/** `isSame` knows the difference. The life as it is, where it does not differ again. */
export async function shrunk(found: Shrunk, isSame: (exchange: Exchange) => boolean, askAnew: AskAnew): Promise<Shrunk> {
  let best = found
  let tries = 0
  const attempt = async (life: Life): Promise<boolean> => {
    if (tries++ >= mostTries) return false
    const exchange = (await askAnew(life)).find(isSame)
    if (exchange !== undefined) best = { life, exchange }
    return exchange !== undefined
  }
  if (!(await attempt(found.life))) return found
  const upTo = best.life.requests.indexOf(best.exchange.request) + 1
  await attempt({ ...best.life, requests: best.life.requests.slice(0, upTo) })
  for (let index = best.life.requests.length - 2; index >= 0; index--)
    await attempt({ ...best.life, requests: best.life.requests.toSpliced(index, 1) })
  for (let index = 0; index < best.life.requests.length; index++) await shrinkBody(() => best.life, index, attempt)
  return best
}

/** Leaves out one field after the other, the outer ones first. */
async function shrinkBody(life: () => Life, index: number, attempt: (life: Life) => Promise<boolean>): Promise<void> {
  const request = () => life().requests[index]
  for (let at = 0; ; ) {
    const now = request()
    if (now?.body === undefined) return
    const places = placesIn(now.body)
    const place = places[at]
    if (place === undefined) return
    const less: DifferentialRequest = { ...now, body: without(now.body, place) }
    if (!(await attempt({ ...life(), requests: life().requests.with(index, less) }))) at++
  }
}

type Place = readonly (string | number)[]

function placesIn(value: unknown, at: Place = []): readonly Place[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => [[...at, index], ...placesIn(item, [...at, index])])
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value)
    .filter(([name]) => at.length > 0 || (name !== 'apiVersion' && name !== 'kind'))
    .flatMap(([name, item]) => [[...at, name], ...placesIn(item, [...at, name])])
}

function without(value: unknown, place: Place): unknown {
  const [name, ...rest] = place
  if (Array.isArray(value) && typeof name === 'number')
    return rest.length === 0 ? value.toSpliced(name, 1) : value.with(name, without(value[name], rest))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([field, item]) =>
      field !== name ? [[field, item]] : rest.length === 0 ? [] : [[field, without(item, rest)]],
    ),
  )
}
