// Requests that are no HTTP, or HTTP that nobody should send.
import type { BadInputCase } from './case.ts'
import { configMap, groupIn } from './requests.ts'

const namespace = 'connections'
const path = `/api/v1/namespaces/${namespace}/configmaps`
const lines = (...text: readonly string[]): string => `${text.join('\r\n')}\r\n\r\n`
const body = JSON.stringify(configMap('raw'))

const texts: Readonly<Record<string, string | Uint8Array>> = {
  'no Host': lines(`GET ${path} HTTP/1.1`, 'Connection: close'),
  'two Hosts': lines(`GET ${path} HTTP/1.1`, 'Host: a', 'Host: b', 'Connection: close'),
  'no version': lines(`GET ${path}`),
  'version 3': lines(`GET ${path} HTTP/3.0`, 'Host: a'),
  'version 1.0': lines('GET /healthz HTTP/1.0', 'Host: a'),
  'no verb': lines(` ${path} HTTP/1.1`, 'Host: a'),
  'a verb of bad letters': lines(`G(T ${path} HTTP/1.1`, 'Host: a', 'Connection: close'),
  'a verb of 10,000 letters': lines(`${'G'.repeat(10_000)} ${path} HTTP/1.1`, 'Host: a', 'Connection: close'),
  'a path without a slash': lines('GET api HTTP/1.1', 'Host: a', 'Connection: close'),
  'a path with a space': lines('GET /api /v1 HTTP/1.1', 'Host: a', 'Connection: close'),
  'a whole URL': lines('GET https://elsewhere.example.com/healthz HTTP/1.1', 'Host: a', 'Connection: close'),
  'a star': lines('OPTIONS * HTTP/1.1', 'Host: a', 'Connection: close'),
  CONNECT: lines('CONNECT elsewhere.example.com:443 HTTP/1.1', 'Host: elsewhere.example.com:443', 'Connection: close'),
  'a header without a colon': lines(`GET ${path} HTTP/1.1`, 'Host: a', 'Broken', 'Connection: close'),
  'a header with a space in its name': lines(`GET ${path} HTTP/1.1`, 'Host: a', 'Bro ken: x', 'Connection: close'),
  'a header of NUL': lines(`GET ${path} HTTP/1.1`, 'Host: a', 'X: a\u0000b', 'Connection: close'),
  'a folded header': lines('GET /healthz HTTP/1.1', 'Host: a', 'X: a', ' b', 'Connection: close'),
  'a header of 70 KB': lines('GET /healthz HTTP/1.1', 'Host: a', `X: ${'x'.repeat(70_000)}`, 'Connection: close'),
  'a header of 2 MB': lines('GET /healthz HTTP/1.1', 'Host: a', `X: ${'x'.repeat(2_000_000)}`, 'Connection: close'),
  '3,000 headers': lines(
    'GET /healthz HTTP/1.1',
    'Host: a',
    ...Array.from({ length: 3000 }, (_, index) => `X-${index}: y`),
    'Connection: close',
  ),
  'a URL of 2 MB': lines(`GET /healthz?${'x'.repeat(2_000_000)} HTTP/1.1`, 'Host: a', 'Connection: close'),
  'a negative length': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Content-Length: -1', 'Connection: close')}${body}`,
  'a length of letters': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Content-Length: many', 'Connection: close')}${body}`,
  'two lengths': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Content-Length: 5', 'Content-Length: 6', 'Connection: close')}${body}`,
  'a length beyond int64': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Content-Length: 99999999999999999999', 'Connection: close')}${body}`,
  'a length of 10 GB': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Content-Length: 10000000000', 'Connection: close')}${body}`,
  'length and chunks': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Content-Length: 5', 'Transfer-Encoding: chunked', 'Connection: close')}0\r\n\r\n`,
  'an unknown encoding': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Transfer-Encoding: zip', 'Connection: close')}${body}`,
  'a chunk of bad length': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Transfer-Encoding: chunked', 'Connection: close')}zz\r\n${body}\r\n0\r\n\r\n`,
  'a chunk longer than it says': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Transfer-Encoding: chunked', 'Connection: close')}1\r\n${body}\r\n0\r\n\r\n`,
  'bytes that are no text': Buffer.from(Array.from({ length: 512 }, (_, index) => (index * 37) % 256)),
  'an unknown Expect': `${lines(`POST ${path} HTTP/1.1`, 'Host: a', 'Expect: tea', `Content-Length: ${body.length}`, 'Connection: close')}${body}`,
  'a token of nonsense': lines('GET /version HTTP/1.1', 'Host: a', 'Authorization: Bearer nonsense', 'Connection: close'),
  'impersonation of nobody': lines(`GET ${path} HTTP/1.1`, 'Host: a', 'Impersonate-Group: x', 'Connection: close'),
  'impersonation of somebody who may not': lines(
    `GET ${path} HTTP/1.1`,
    'Host: a',
    'User-Agent: tester/1',
    'Accept: application/json',
    'Impersonate-User: somebody',
    'Connection: close',
  ),
}

export const connectionGroup = groupIn(namespace, {
  cases: Object.entries(texts).map(([name, bytes]): BadInputCase => ({ name, request: { bytes } })),
})
