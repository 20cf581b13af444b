// Answers that come from us.
import { STATUS_CODES } from 'node:http'
import { extname } from 'node:path'
import { textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { Route, StaticAnswer } from '../routing/route.ts'
import type { Caller } from './caller.ts'

export const coldStartHeader = 'X-Keda-Http-Cold-Start'
/** Names and values by turns: what is said here is text, and nothing else. */
export const textHeaders = ['Content-Type', 'text/plain; charset=utf-8', 'X-Content-Type-Options', 'nosniff'] as const

/** A sentence in plain text: `404 Not Found`, as upstream writes it. */
export function answerText(caller: Caller, status: number, more: readonly string[] = []): void {
  if (caller.hasAnswered) {
    caller.destroy()
    return
  }
  const reason = STATUS_CODES[status] ?? 'Error'
  answerBody(caller, {
    status,
    body: `${reason}\n`,
    headers: [...textHeaders, ...more],
  })
}

export function answerBody(
  caller: Caller,
  { status, headers, body }: { readonly status: number; readonly headers: readonly string[]; readonly body: string | Buffer },
): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const hasBody = status >= 200 && status !== 204 && status !== 304
  caller.answer(status, STATUS_CODES[status] ?? '', hasBody ? [...headers, 'Content-Length', String(bytes.length)] : headers)
  if (hasBody && caller.head.method !== 'HEAD' && bytes.length > 0) caller.write(bytes)
  caller.end()
}

/** ConfigMaps whose data may be answered, of a namespace. */
export interface BodyTexts {
  get(namespace: string | undefined, name: string): KubeObject | undefined
}

/** What a route answers by itself. @returns why it cannot, where a ConfigMap is not as it says */
export function answerStatic(
  caller: Caller,
  { route, answer, texts }: { route: Route; answer: StaticAnswer; texts: BodyTexts },
): string | undefined {
  const found = bodyOf(caller, { route, answer, texts })
  if ('problem' in found) {
    answerText(caller, 500)
    return found.problem
  }
  const headers = Object.entries(answer.headers).flat()
  const isTyped = Object.keys(answer.headers).some(name => name.toLowerCase() === 'content-type')
  if (!isTyped && found.type !== undefined) headers.push('Content-Type', found.type)
  answerBody(caller, { status: answer.status, headers, body: found.body })
  return undefined
}

type Found = { readonly body: string; readonly type?: string } | { readonly problem: string }

function bodyOf(caller: Caller, { route, answer, texts }: { route: Route; answer: StaticAnswer; texts: BodyTexts }): Found {
  const { body, bodyFrom } = answer
  if (bodyFrom === undefined) return { body: body ?? '', ...(body ? { type: typeOf(body) } : {}) }
  const map = texts.get(route.namespace, bodyFrom.name)
  const place = `ConfigMap ${route.namespace}/${bodyFrom.name}`
  if (map === undefined) return { problem: `there is no ${place} with the label http.keda.sh/response-body=true` }
  const key = bodyFrom.key ?? (caller.head.path.replace(/^\//, '') || 'index.html')
  const text = textAt(map, 'data', key)
  if (text === undefined)
    return bodyFrom.key === undefined ? { body: '' } : { problem: `${place} has no key ${JSON.stringify(key)}` }
  return { body: text, type: types[extname(key).toLowerCase()] ?? typeOf(text) }
}

/** As browsers and Go's server judge a text by its beginning. */
function typeOf(text: string): string {
  const start = text.slice(0, 512).trimStart()
  if (/^<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>]|^<!--/i.test(start))
    return 'text/html; charset=utf-8'
  return start.startsWith('<?xml') ? 'text/xml; charset=utf-8' : 'text/plain; charset=utf-8'
}

/** By the ending of a key. */
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.htm': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.xml': 'text/xml; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
}
