import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type HeldForm, heldForm } from './held-form.ts'
import { HeldStream, heldRequestHeaders, signOfLife } from './held-stream.ts'
import { failureText } from './stream-failure.ts'

const nowMs = Date.UTC(2027, 0, 3, 4, 5, 6, 789)
const forms: readonly HeldForm[] = [
  'openai-events',
  'responses-events',
  'ollama-chat',
  'ollama-generate',
  'openai-json',
  'ollama-json',
]

class Client {
  head: { status: number; headers: readonly string[] } | undefined
  text = ''
  ended: 'no' | 'end' | 'cut' = 'no'
  takes = true
  drained: (() => void) | undefined
  answer(status: number, _reason: string, headers: readonly string[]) {
    expect(this.head).toBeUndefined()
    this.head = { status, headers }
  }
  write(chunk: Uint8Array | string) {
    expect(this.ended).toBe('no')
    this.text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1')
    return this.takes
  }
  onDrain(drained: () => void) {
    this.drained = drained
  }
  end() {
    expect(this.ended).toBe('no')
    this.ended = 'end'
  }
  destroy() {
    this.ended = 'cut'
  }
}

function opened(form: HeldForm, model: string | undefined = 'gpt-oss:20b') {
  const client = new Client()
  const stream = new HeldStream({ form, model, sink: client, now: () => nowMs })
  stream.open({ stage: 'node-requested', etaMs: 139_001 }, ['X-KEDA-HTTP-Cold-Start', 'true'])
  const first = client.text
  const since = () => client.text.slice(first.length)
  return { client, stream, first, since }
}

const types: Record<HeldForm, string> = {
  'openai-events': 'text/event-stream',
  'responses-events': 'text/event-stream; charset=utf-8',
  'ollama-chat': 'application/x-ndjson',
  'ollama-generate': 'Application/X-NDJSON',
  'openai-json': 'application/json',
  'ollama-json': 'application/json; charset=utf-8',
}

test.each([
  [{ kind: 'openai', call: 'chat', isStream: true }, true, 'openai-events'],
  [{ kind: 'openai', call: 'completions', isStream: true }, false, 'openai-events'],
  [{ kind: 'openai', call: 'responses', isStream: true }, false, 'responses-events'],
  [{ kind: 'openai', call: 'chat', isStream: false }, false, undefined],
  [{ kind: 'openai', call: 'chat', isStream: false }, true, 'openai-json'],
  [{ kind: 'ollama', call: 'chat', isStream: true }, false, 'ollama-chat'],
  [{ kind: 'ollama', call: 'generate', isStream: true }, false, 'ollama-generate'],
  [{ kind: 'ollama', call: 'chat', isStream: false }, true, 'ollama-json'],
  [{ kind: 'openai', call: 'embeddings', isStream: false }, true, undefined],
  [{ kind: 'list' }, true, undefined],
  [undefined, true, undefined],
] as const)('%j with spaces %s is held as %s', (request, spaces, form) => {
  expect(heldForm(request, { spaces })).toBe(form)
})

describe('the opening', () => {
  test('is sent at once with a sign of life', () => {
    const { client, first } = opened('openai-events')
    expect(first).toBe(': warming stage=node-requested eta=140s\n\n')
    expect(client.head).toEqual({
      status: 200,
      headers: [
        ...['X-KEDA-HTTP-Cold-Start', 'true', 'Content-Type', 'text/event-stream; charset=utf-8'],
        ...['Cache-Control', 'no-cache', 'X-Accel-Buffering', 'no'],
      ],
    })
  })
  test('of Ollama is a piece of an answer that says nothing', () => {
    const created = '2027-01-03T04:05:06.789Z'
    const head = { model: 'gpt-oss:20b', created_at: created }
    expect(JSON.parse(opened('ollama-chat').first)).toEqual({ ...head, message: { role: 'assistant', content: '' }, done: false })
    expect(JSON.parse(opened('ollama-generate').first)).toEqual({ ...head, response: '', done: false })
  })
  test('of JSON is a space', () => {
    expect(opened('openai-json').first).toBe(' ')
    expect(opened('ollama-json').first).toBe(' ')
  })
  test('without anything learned no time is told', () => {
    expect(signOfLife('openai-events', { progress: { stage: 'image' }, model: undefined, nowMs })).toBe(
      ': warming stage=image\n\n',
    )
  })
})

test('10 signs of life in 150 s, and then the bytes of the target as they are', () => {
  const { client, stream, since } = opened('openai-events')
  for (let at = 0; at < 9; at++) stream.alive({ stage: 'image', etaMs: 9_000 })
  expect(client.text.match(/^: warming /gm)).toHaveLength(10)
  const before = since()
  stream.head(200, 'OK', ['Content-Type', 'text/event-stream', 'Content-Length', '99'])
  const bytes = Buffer.from('data: {"a":"\xff\x00"}\n\ndata: [DONE]\n\n', 'latin1')
  stream.write(bytes.subarray(0, 7))
  stream.alive({ stage: 'image' })
  stream.write(bytes.subarray(7))
  stream.end()
  stream.fail({ status: 504, why: 'late' })
  expect(since()).toBe(before + bytes.toString('latin1'))
  expect(client.ended).toBe('end')
})

test('a client that takes nothing gets no more signs of life until it does', () => {
  const { client, stream, since } = opened('openai-events')
  client.takes = false
  stream.alive({ stage: 'image' })
  const once = since()
  for (let at = 0; at < 1_000; at++) stream.alive({ stage: 'image' })
  expect(since()).toBe(once)
  client.drained?.()
  stream.alive({ stage: 'image' })
  expect(since()).toBe(once + once)
})

describe('an answer that was not promised', () => {
  const answer = (form: HeldForm, status: number, headers: readonly string[], body: string) => {
    const { client, stream, since } = opened(form)
    stream.head(status, '', headers)
    expect(stream.write(Buffer.from(body))).toBe(true)
    stream.end()
    expect(client.ended).toBe('end')
    return since()
  }
  const json = ['Content-Type', 'application/json']
  test('keeps the words of the target', () => {
    expect(
      answer(
        'openai-events',
        404,
        json,
        '{"error":{"message":"no such model","type":"not_found_error","code":"model_not_found"}}',
      ),
    ).toBe(
      'data: {"error":{"message":"no such model","type":"not_found_error","param":null,"code":"model_not_found"}}\n\ndata: [DONE]\n\n',
    )
    expect(answer('ollama-chat', 404, json, '{"error":"model \\"x\\" not found"}')).toBe('{"error":"model \\"x\\" not found"}\n')
    expect(answer('openai-json', 500, json, '{"error":"x"}')).toBe(
      '{"error":{"message":"the target answered 500: x","type":"server_error","param":null,"code":"500"}}',
    )
    expect(answer('ollama-json', 500, json, '<p>oh</p>')).toBe('{"error":"the target answered 500: <p>oh</p>"}')
  })
  test('of the Responses API is an event of its own', () => {
    const [event, data, , done] = answer('responses-events', 429, json, '{"error":{"message":"slow down"}}').split('\n')
    expect(event).toBe('event: error')
    expect(JSON.parse(data?.slice('data: '.length) ?? '')).toEqual({
      ...{ type: 'error', sequence_number: 0, code: '429', message: 'slow down', param: null },
      error: { message: 'slow down', type: 'invalid_request_error', param: null, code: '429' },
    })
    expect(done).toBe('data: [DONE]')
  })
  test.each([
    [
      'another type',
      ['Content-Type', 'text/html'],
      'the target answered with \\"text/html\\" where text/event-stream was promised',
    ],
    ['no type', [], 'the target answered with no type of content where text/event-stream was promised'],
    ['packed', ['content-type', 'text/event-stream', 'Content-Encoding', 'gzip'], 'the target answered in \\"gzip\\"'],
  ])('%s', (_name, headers, words) => {
    expect(answer('openai-events', 200, headers, '')).toContain(words)
  })
  test('is not kept beyond its bound', () => {
    const said = answer('openai-events', 500, [], 'x'.repeat(10_000_000))
    expect(said.length).toBeLessThan(3_000)
  })
  test('Ollama tells by one line of JSON that it loaded a model', () => {
    expect(answer('ollama-generate', 200, json, '{"done":true}')).toBe('{"done":true}')
  })
})

describe('a target that breaks off', () => {
  test.each<[HeldForm, string, 'end' | 'cut']>([
    ['openai-events', 'data: {}\n\n', 'end'],
    ['openai-events', 'data: {}\r\n\r\n', 'end'],
    ['openai-events', '', 'end'],
    ['openai-events', 'data: {', 'cut'],
    ['openai-events', 'data: {}\n', 'cut'],
    ['responses-events', 'data: {}\n\n', 'end'],
    ['ollama-chat', '{}\n', 'end'],
    ['ollama-chat', '{', 'cut'],
    ['openai-json', '{', 'cut'],
    ['ollama-json', '', 'end'],
  ])('%s after %j: %s', (form, body, ended) => {
    for (const size of [1, 3, 100]) {
      const { client, stream, since } = opened(form)
      stream.head(200, 'OK', ['Content-Type', types[form]])
      for (let at = 0; at < body.length; at += size) stream.write(Buffer.from(body.slice(at, at + size)))
      stream.broken('connection reset')
      expect(client.ended).toBe(ended)
      expect(since()).toBe(
        ended === 'cut' ? body : body + failureText(form, { status: 502, why: 'the target broke off: connection reset' }),
      )
    }
  })
  test('before its answer, or within one that is told as an error', () => {
    const before = opened('openai-events')
    before.stream.broken('connection reset')
    expect(before.since()).toContain('"message":"connection reset"')
    const within = opened('openai-events')
    within.stream.head(503, '', [])
    within.stream.write(Buffer.from('busy'))
    within.stream.broken('connection reset')
    expect(within.since()).toContain('"message":"the target answered 503: busy"')
  })
})

test('Accept-Encoding of the client does not go to the target', () => {
  expect(heldRequestHeaders(['accept-encoding', 'gzip', 'A', 'b', 'Accept-Encoding', 'br'])).toEqual([
    'A',
    'b',
    'Accept-Encoding',
    'identity',
  ])
})

const text = fc.string({ unit: 'binary', maxLength: 60 })
const form = fc.constantFrom(...forms)

/** Splits events as the standard does, and takes comments away. */
function eventsOf(stream: string): readonly { readonly event: string; readonly data: string }[] {
  const events: { event: string; data: string }[] = []
  let event = ''
  let data: string[] = []
  for (const line of stream.split(/\r\n|\r|\n/)) {
    if (line === '') {
      if (data.length > 0) events.push({ event, data: data.join('\n') })
      event = ''
      data = []
    } else if (!line.startsWith(':')) {
      const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
      if (name === 'data') data.push(value)
      else if (name === 'event') event = value
      else throw new Error(`a line that is none of an event: ${JSON.stringify(line)}`)
    }
  }
  return events
}

test('whatever is told of stages, models and failures, a client can read all of it', () => {
  fc.assert(
    fc.property(form, text, text, text, fc.nat(700), (one, stage, model, why, status) => {
      const { client, stream } = opened(one, model)
      stream.alive({ stage, etaMs: status })
      stream.fail({ status, why, body: why })
      const all = Buffer.from(client.text).toString()
      if (one.endsWith('-json')) expect(JSON.parse(all)).toHaveProperty('error')
      else if (one.startsWith('ollama')) {
        const lines = all.split('\n')
        expect(lines.pop()).toBe('')
        expect(lines.map(line => Object.keys(JSON.parse(line)).at(-1))).toEqual(['done', 'done', 'error'])
      } else {
        const events = eventsOf(all)
        expect(events).toHaveLength(2)
        expect(JSON.parse(events[0]?.data ?? '')).toHaveProperty('error.message')
        expect(events[1]?.data).toBe('[DONE]')
      }
    }),
  )
})
