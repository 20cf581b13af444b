// A webhook that converts objects well, or as badly as a scenario wants, and what of an answer does not differ from run to run.
import { once } from 'node:events'
import { createServer } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import { answerConversion, type Converter } from '#kube/server/conversion.ts'
import type { Answer, Recorded, Site } from './scenario.ts'
import { type Fields, steady, withoutUnsteady } from './webhook-scenario.ts'

export type ConversionResponse = Readonly<Record<string, unknown>> & { readonly convertedObjects: readonly Fields[] }

/** The response of a good webhook, changed; or another answer. */
export type ConversionFault = (response: ConversionResponse) => Fields | string | number

interface ConversionServer extends AsyncDisposable {
  readonly port: number
  readonly clientConfig: Fields
  /** What it was asked. */
  readonly seen: Fields[]
  fault: ConversionFault | undefined
  close(): void
}

/** Listens on loopback. */
export async function startConversionServer(converter: Converter): Promise<ConversionServer> {
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'conversion', nowMs })
  const leaf = await issueLeaf(authority, { commonName: 'conversion', dnsNames: ['localhost'], usages: ['server'], nowMs })
  const server = createServer({ cert: leaf.certificate, key: leaf.key })
  const seen: Fields[] = []
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  server.on('request', (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const review: Fields = JSON.parse(body.toString())
      seen.push({ ...review, query: request.url?.split('?')[1] })
      const call = { method: 'POST', url: `/convert/${converter.name}`, contentType: 'application/json', body }
      const good: { readonly response: ConversionResponse } = JSON.parse(answerConversion(converter, call, silentLog).body)
      const said = hook.fault?.(good.response) ?? good.response
      response.writeHead(typeof said === 'number' ? said : 200, { 'content-type': 'application/json' })
      response.end(typeof said === 'object' ? JSON.stringify({ ...good, response: said }) : String(said))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const caBundle = Buffer.from(authority.certificate).toString('base64')
  const hook: ConversionServer = {
    port,
    clientConfig: { url: `https://localhost:${port}/convert/${converter.name}`, caBundle },
    seen,
    fault: undefined,
    close,
    [Symbol.asyncDispose]: async () => close(),
  }
  return hook
}

/** Waits until a collection can be listed. */
export async function untilServed(site: Site, path: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const { status } = await site.ask({ method: 'GET', path })
    if (status === 200) return
    await pause(50)
  }
  throw new Error(`waited in vain for ${path} to be served`)
}

/** A continue token holds a revision. */
function steadyList(list: Fields): Fields {
  const { items, rows, metadata } = list
  const { continue: token, ...others }: Fields = Object(metadata)
  return {
    ...list,
    metadata: { ...others, ...(token === undefined || token === '' ? {} : { continue: 'TOKEN' }) },
    ...(Array.isArray(items) ? { items: items.map(item => withoutUnsteady(item)) } : {}),
    ...(Array.isArray(rows) ? { rows: rows.map(row => ({ ...row, object: withoutUnsteady(Object(row.object)) })) } : {}),
  }
}

/** An answer, or the events of a watch. */
export function steadyLines(answer: Answer, port: number): Pick<Recorded, 'status' | 'contentType' | 'body'> {
  if (answer.text.startsWith('{"type"')) {
    const events = answer.text
      .trim()
      .split('\n')
      .map((line): Fields => JSON.parse(line))
    const body = events.map(event => ({ ...event, object: withoutUnsteady(Object(event['object'])) }))
    return { status: answer.status, contentType: answer.contentType, body }
  }
  const { body, ...rest } = steady(answer, port)
  return { ...rest, body: answer.text.startsWith('{') ? steadyList(Object(body)) : body }
}

export function steadyReview({ request, ...rest }: Fields): Fields {
  const { objects, ...asked }: Fields & { readonly objects: readonly Fields[] } = Object(request)
  return { ...rest, request: { ...asked, uid: 'UID', objects: objects.map(object => withoutUnsteady(object)) } }
}
