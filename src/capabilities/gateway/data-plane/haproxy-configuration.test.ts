import { describe, expect, it } from 'vitest'
import { type HaproxyOptions, haproxyAnswers, haproxyConfiguration } from './haproxy-configuration.ts'

const options: HaproxyOptions = {
  directory: '/d',
  binds: ['0.0.0.0:8080', '[::]:8080 v6only'],
  proxyProtocol: false,
  connectMs: 500,
  responseHeaderMs: 300_000,
  coldStartHeader: true,
  tells: true,
  mostConnections: 9_900,
  progressPath: '/.ballast/progress',
}
const lines = (more: Partial<HaproxyOptions> = {}) =>
  haproxyConfiguration({ ...options, ...more })
    .split('\n')
    .map(line => line.trim())

describe('the configuration', () => {
  it('takes connections where it is told to, and carries what it is told of', () => {
    const all = lines()
    for (const line of [
      'bind 0.0.0.0:8080',
      'bind [::]:8080 v6only',
      'maxconn 9900',
      'timeout connect 500ms',
      'http-after-response set-header Connection close if { fe_conn gt 7920 }',
      'timeout server 300000ms',
    ])
      expect(all).toContain(line)
    expect(all).toContain('stats socket /d/admin.sock mode 600 level admin expose-fd listeners')
    expect(all.filter(line => line.includes('send-proxy-v2 proto h2'))).toHaveLength(4)
  })
  it.each<[string, Partial<HaproxyOptions>, string, boolean]>([
    ['with a header of the PROXY protocol', { proxyProtocol: true }, 'bind 0.0.0.0:8080 accept-proxy', true],
    ['without a limit until the head of an answer', { responseHeaderMs: 0 }, 'timeout server 300000ms', false],
    [
      'without the header of cold starts',
      { coldStartHeader: false },
      'http-after-response add-header X-Keda-Http-Cold-Start false unless { srv_name -m beg again }',
      false,
    ],
    ['with it', {}, 'http-after-response add-header X-Keda-Http-Cold-Start false unless { srv_name -m beg again }', true],
    ['where nobody counts', { tells: false }, 'ring carried', false],
    ['where somebody does', {}, 'ring carried', true],
  ])('%s', (_what, more, line, isThere) => expect(lines(more).includes(line)).toBe(isThere))
})

it('answers of its own are worded as ours, and end with their length', () => {
  for (const [file, text] of haproxyAnswers()) {
    const [head = '', body = ''] = text.split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${file.slice(0, 3)} [A-Z]`))
    expect(head).toContain(`Content-Length: ${body.length}`)
    expect(head).not.toMatch(/[^\r]\n/)
  }
})
