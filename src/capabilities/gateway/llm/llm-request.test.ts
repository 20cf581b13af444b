import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { classify, longestModel } from './llm-request.ts'
import { tierFor } from './model-tiers.ts'
import { topLevelFields } from './top-level-fields.ts'

const look = (path: string, text: string | Uint8Array, more: { method?: string; contentType?: string; isWhole?: boolean } = {}) =>
  classify({
    method: more.method ?? 'POST',
    path,
    contentType: more.contentType ?? 'application/json',
    body: typeof text === 'string' ? Buffer.from(text) : text,
    isWhole: more.isWhole ?? true,
  })

describe('what a request is', () => {
  const openai = (call: string, isStream: boolean, model?: string) => ({
    kind: 'openai',
    call,
    isStream,
    ...(model ? { model } : {}),
  })
  const ollama = (call: string, isStream: boolean, model?: string) => ({
    kind: 'ollama',
    call,
    isStream,
    ...(model ? { model } : {}),
  })
  // biome-ignore format: a table
  test.each([
    ['a stream', '/v1/chat/completions', '{"model":"gpt-oss:20b","stream":true}', openai('chat', true, 'gpt-oss:20b')],
    ['no stream without a word', '/v1/chat/completions', '{"model":"m"}', openai('chat', false, 'm')],
    ['completions', '/v1/completions', '{"stream":true}', openai('completions', true)],
    ['responses', '/v1/responses', '{"stream":true,"model":"m"}', openai('responses', true, 'm')],
    ['embeddings never stream', '/v1/embeddings', '{"stream":true,"model":"m"}', openai('embeddings', false, 'm')],
    ['a word is no truth', '/v1/chat/completions', '{"stream":"true"}', openai('chat', false)],
    ['Ollama streams by default', '/api/chat', '{"model":"m"}', ollama('chat', true, 'm')],
    ['null is not said', '/api/generate', '{"stream":null}', ollama('generate', true)],
    ['it is told not to', '/api/generate', '{"stream":false,"model":"m"}', ollama('generate', false, 'm')],
    ['what it would refuse', '/api/chat', '{"stream":"no"}', ollama('chat', false)],
    ['embed', '/api/embed', '{"model":"m"}', ollama('embeddings', false, 'm')],
    ['embeddings of old', '/api/embeddings', '{"model":"m"}', ollama('embeddings', false, 'm')],
    ['nested names do not count', '/v1/chat/completions', '{"messages":[{"model":"x","stream":true}],"o":{"stream":true}}', openai('chat', false)],
    ['the last one counts', '/v1/chat/completions', '{"model":"a","stream":true,"model":"b","stream":false}', openai('chat', false, 'b')],
    ['escaped names are names', '/v1/chat/completions', '{"\\u006dodel":"a","str\\u0065am":true}', openai('chat', true, 'a')],
    ['a model is a text', '/v1/chat/completions', '{"model":7,"stream":true}', openai('chat', true)],
    ['an empty name is none', '/v1/chat/completions', '{"model":"","stream":true}', openai('chat', true)],
    ['no JSON is for the target to refuse', '/api/chat', '{"model":"m",', ollama('chat', false, 'm')],
    ['nor is a list', '/api/chat', '[1]', ollama('chat', false)],
    ['nor nothing', '/api/chat', '', ollama('chat', false)],
    ['a query string in the body', '/api/chat', 'model=m&stream=true', ollama('chat', false)],
    ['another path', '/v1/chat/completions/x', '{"stream":true}', undefined],
    ['a path of the same end', '/x/api/chat', '{}', undefined],
  ])('%s', (_name, path, body, expected) => {
    expect(look(path, body)).toEqual(expected)
  })

  test('lists are read, not written', () => {
    for (const path of ['/api/tags', '/v1/models', '/api/ps', '/api/version']) {
      expect(look(path, '', { method: 'GET' })).toEqual({ kind: 'list' })
      expect(look(path, '', { method: 'HEAD' })).toEqual({ kind: 'list' })
      expect(look(path, '{}')).toBeUndefined()
    }
    expect(look('/api/chat', '{}', { method: 'GET' })).toBeUndefined()
    expect(look('/v1/chat/completions', '', { method: 'OPTIONS' })).toBeUndefined()
  })

  test('forms of browsers are not looked at, whatever stands in them; a type that says nothing is no hindrance', () => {
    expect(look('/api/chat', '{"model":"m"}', { contentType: 'Multipart/Form-Data; boundary=x' })).toEqual(ollama('chat', false))
    expect(look('/api/chat', '{"model":"m"}', { contentType: 'application/x-www-form-urlencoded' })).toEqual(
      ollama('chat', true, 'm'),
    )
  })

  test('a name beyond its bound is none', () => {
    const named = (length: number) => look('/v1/completions', JSON.stringify({ model: 'm'.repeat(length) }))
    expect(named(longestModel)).toHaveProperty('model')
    expect(named(longestModel + 1)).not.toHaveProperty('model')
  })
})

describe('a body of which only the beginning is there', () => {
  const cut = (path: string, text: string) => look(path, text, { isWhole: false })
  test.each([
    ['what stood before the cut', '/v1/chat/completions', '{"model":"m","stream":true,"messages":[{"content":"lo', true, 'm'],
    ['Ollama may be told not to later', '/api/chat', '{"model":"m","messages":[{"content":"lo', false, 'm'],
    ['Ollama was told to', '/api/chat', '{"stream":true,"messages":[{', true, undefined],
    ['a name that is cut', '/v1/completions', '{"stream":true,"model":"lla', true, undefined],
    ['a name that comes twice and is cut', '/v1/completions', '{"model":"a","model":"lla', false, undefined],
    ['a word that is cut', '/v1/completions', '{"model":"m","stream":tru', false, 'm'],
    ['a word that may go on', '/v1/completions', '{"stream":true', false, undefined],
    ['a text that looks like fields', '/v1/completions', '{"prompt":"\\",\\"stream\\":true,\\"model\\":\\"x', false, undefined],
    ['brackets in texts', '/v1/completions', '{"a":["]}",{"b":"\\"}]"}],"stream":true,"z":"', true, undefined],
    ['white space', '/v1/completions', ' \r\n\t{ "stream" : true , "model" : "m" , "z', true, 'm'],
    ['bytes that are no JSON', '/v1/completions', '{"model":"m";"stream":true}', false, 'm'],
  ])('%s', (_name, path, text, isStream, model) => {
    expect(cut(path, text)).toMatchObject({ isStream, ...(model === undefined ? {} : { model }) })
    if (model === undefined) expect(cut(path, text)).not.toHaveProperty('model')
  })

  test('a depth that no stack would bear, and a key of 60 KiB, are passed over', () => {
    expect(cut('/v1/completions', `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)},"stream":true,"z`)).toMatchObject({
      isStream: true,
    })
    expect(cut('/v1/completions', `{"${'k'.repeat(60_000)}":1,"stream":true,"z`)).toMatchObject({ isStream: true })
    expect(look('/v1/completions', '['.repeat(65_536))).toEqual({ kind: 'openai', call: 'completions', isStream: false })
  })

  test('bytes that are no UTF-8 are replaced, as Go and Node replace them', () => {
    const body = Buffer.concat([Buffer.from('{"model":"a'), Buffer.from([0xff, 0xfe]), Buffer.from('b","z":"')])
    expect(look('/api/chat', body, { isWhole: false })).toHaveProperty('model', 'a\ufffd\ufffdb')
  })
})

const names = ['model', 'stream']
const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string(), fc.boolean())
const key = fc.oneof(fc.constantFrom('model', 'stream', 'Model', 'modelx', ''), fc.string({ unit: 'binary', maxLength: 8 }))
const document = fc.array(fc.tuple(key, value), { maxLength: 8 }).map(fields => {
  const texts = fields.map(([name, one]) => `${JSON.stringify(name)}:${JSON.stringify(one)}`)
  return { text: `{${texts.join(',')}}`, fields }
})

test('the look at the top finds what JSON.parse finds', () => {
  fc.assert(
    fc.property(document, ({ text }) => {
      const read: Record<string, unknown> = JSON.parse(Buffer.from(text).toString())
      const found = topLevelFields(Buffer.from(text), names)
      for (const name of names) {
        const seen = found.get(name)
        expect(seen !== undefined).toBe(Object.hasOwn(read, name))
        const own = read[name]
        const isNested = typeof own === 'object' && own !== null
        if (seen !== undefined) expect(seen).toEqual({ isWhole: true, value: isNested ? {} : own })
      }
    }),
  )
})

test('a cut tells nothing that the whole does not say, but for what comes twice', () => {
  fc.assert(
    fc.property(document, fc.nat(), ({ text, fields }, at) => {
      const bytes = Buffer.from(text)
      const found = topLevelFields(bytes.subarray(0, at % (bytes.length + 1)), names)
      for (const [name, seen] of found) {
        const said = fields.flatMap(([one, own]) => (one === name ? [own] : []))
        if (seen.isWhole && (typeof seen.value !== 'object' || seen.value === null))
          expect(said).toContainEqual(JSON.parse(JSON.stringify(seen.value)))
      }
    }),
  )
})

test('no bytes break it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isWhole) => {
      const body = Buffer.concat([Buffer.from('{"model":'), bytes])
      expect(look('/api/chat', body, { isWhole })).toMatchObject({ kind: 'ollama', call: 'chat' })
    }),
  )
})

describe('which route answers for a model', () => {
  const tiers = (text: string) => text.split(',').map(one => ({ model: one.split('=')[0] ?? '', route: one.split('=')[1] ?? '' }))
  // biome-ignore format: a table
  test.each([
    ['gpt-oss:20b=ollama-gpu,*=ollama', 'gpt-oss:20b', 'ollama-gpu'],
    ['gpt-oss:20b=ollama-gpu,*=ollama', 'gpt-oss:120b', 'ollama'],
    ['gpt-oss:20b=ollama-gpu,*=ollama', undefined, 'ollama'],
    ['gpt-oss:20b=ollama-gpu', 'phi', undefined],
    ['gpt-oss:20b=ollama-gpu', undefined, undefined],
    ['*=a,phi=b', 'phi', 'a'],
    ['phi=b', 'phi:latest', 'b'],
    ['phi:latest=b', 'phi', 'b'],
    ['registry:5000/phi=b', 'registry:5000/phi:latest', 'b'],
    ['llama3*=b', 'llama3.2:1b', 'b'],
    ['llama3*=b', 'llama2', undefined],
    ['', 'phi', undefined],
  ])('%s for %s: %s', (text, model, route) => {
    expect(tierFor(tiers(text), model)).toBe(route)
  })
})
