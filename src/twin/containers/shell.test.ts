import { extract, pack } from 'tar-stream'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { ContainerFiles } from './container-files.ts'
import { environmentOf } from './downward-values.ts'
import { Shell } from './shell.ts'

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u', labels: { app: 'web', tier: 'a b' } },
  spec: {
    nodeName: 'n1',
    containers: [
      {
        name: 'main',
        image: 'app:1',
        resources: { limits: { cpu: '1500m', memory: '64Mi' } },
        envFrom: [{ configMapRef: { name: 'settings' }, prefix: 'S_' }],
        env: [
          { name: 'ME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'CPUS', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
          { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } },
          { name: 'GREETING', value: 'hello $(ME), $$(ME), $(NOBODY)' },
        ],
        volumeMounts: [
          { name: 'settings', mountPath: '/etc/app' },
          { name: 'settings', mountPath: '/etc/one.conf', subPath: 'a.conf' },
          { name: 'all', mountPath: '/all' },
        ],
      },
    ],
    volumes: [
      { name: 'settings', configMap: { name: 'settings' } },
      {
        name: 'all',
        projected: {
          sources: [
            { secret: { name: 'login', items: [{ key: 'password', path: 'secret/word' }] } },
            { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
          ],
        },
      },
    ],
  },
}
const objects: Readonly<Record<string, KubeObject>> = {
  settings: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { 'a.conf': 'x=1\n', level: 'debug' } },
  login: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'login' }, data: { password: 'aHVudGVyMg==' } },
}
const lookup = (_resource: string, name: string) => objects[name]

function container(clock = new VirtualClock(Date.parse('2026-01-01T00:00:00Z'))) {
  const files = new ContainerFiles(pod, 'main', lookup)
  const run = async (words: readonly string[], input: readonly Uint8Array[] = [], signal = new AbortController().signal) => {
    const out: Buffer[] = []
    const err: Buffer[] = []
    const into = (list: Buffer[]) => (bytes: Uint8Array) => Promise.resolve(void list.push(Buffer.from(bytes)))
    const environment = environmentOf(pod, 'main', lookup)
    const shell = new Shell({ files, environment, hostname: 'web', clock, signal, isInteractive: false })
    const code = await shell.run(words, { stdin: pieces(input), stdout: into(out), stderr: into(err) })
    return { code, bytes: Buffer.concat(out), out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }
  }
  return { files, run, sh: (script: string) => run(['sh', '-c', script]), clock }
}

async function* pieces(input: readonly Uint8Array[]) {
  yield* input
}

describe('the shell of a container', () => {
  test.each<[string, number, string, string?]>([
    ['echo hello; exit 3', 3, 'hello\n'],
    ['false || echo two', 0, 'two\n'],
    ['true && echo one && false && echo two', 1, 'one\n'],
    ['false; echo $?', 0, '1\n'],
    ['echo \'$ME\' "$ME" $ME ${ME}x \\$ME', 0, '$ME web web webx $ME\n'],
    ['A="a  b"; echo $A "$A"', 0, 'a b a  b\n'],
    ['echo # nothing', 0, '\n'],
    ['echo one > /tmp/f; echo two >> /tmp/f; cat /tmp/f', 0, 'one\ntwo\n'],
    ['cat < /etc/hostname', 0, 'web\n'],
    ['cat /none', 1, '', 'cat: /none: No such file or directory\n'],
    ['cat /none 2> /dev/null || echo no', 0, 'no\n'],
    ['echo x > /etc/app/level', 1, '', 'sh: /etc/app/level: Read-only file system\n'],
    ['cd /etc/app && pwd && ls', 0, '/etc/app\na.conf\nlevel\n'],
    ['cat /etc/one.conf /all/secret/word', 0, 'x=1\nhunter2'],
    ['cat /all/labels', 0, 'app="web"\ntier="a b"'],
    ['echo $S_level $CPUS $MEMORY $PASSWORD $GREETING', 0, 'debug 2 64 hunter2 hello web, $(ME), $(NOBODY)\n'],
    ['printenv ME; printenv NOBODY', 1, 'web\n'],
    ['mkdir -p /a/b; touch /a/b/c; ls /a/b; rm -r /a; ls /a', 1, 'c\n', 'ls: /a: No such file or directory\n'],
    ['test -d /etc && test -f /etc/hostname && echo yes', 0, 'yes\n'],
    ['sh -c "exit 5"; echo $?', 0, '5\n'],
    ['date', 0, 'Thu Jan 01 00:00:00 UTC 2026\n'],
    ['id; whoami; hostname', 0, 'uid=0(root) gid=0(root) groups=0(root)\nroot\nweb\n'],
    ['echo a | cat', 127, '', "sh: | is not in the twin's shell\n"],
    ['echo $(date)', 127, '', "sh: $( is not in the twin's shell\n"],
    ['echo "open', 2, '', 'sh: syntax error: a quote is not closed\n'],
    ['&& echo', 2, '', 'sh: syntax error: unexpected "&&"\n'],
    ['sleep soon', 1, '', 'sleep: invalid time interval ‘soon’\n'],
  ])('%s', async (script, code, out, err = '') => {
    expect(await container().sh(script)).toMatchObject({ code, out, err })
  })

  test('what it does not have ends with 127 and says so', async () => {
    const { code, err } = await container().run(['nginx', '-v'])
    expect([code, err]).toEqual([
      127,
      expect.stringMatching(/^nginx: not found: the twin's containers have a small shell and cat, cd, /),
    ])
  })

  test('reads commands and data from standard input', async () => {
    expect(await container().run(['sh'], [Buffer.from('echo o'), Buffer.from('ne\nexit 4\necho two\n')])).toMatchObject({
      code: 4,
      out: 'one\n',
    })
    expect(await container().run(['cat'], [Buffer.from('ä'.repeat(3))])).toMatchObject({ out: 'äää' })
  })

  test('sleeps by the clock of the cluster, and until it is stopped', async () => {
    const { run, clock } = container()
    const slept = run(['sleep', '3600'])
    await clock.advance(3_600_000)
    expect((await slept).code).toBe(0)
    const stop = new AbortController()
    const stopped = run(['sleep', 'infinity'], [], stop.signal)
    stop.abort()
    expect((await stopped).code).toBe(143)
  })

  test('files are bounded', async () => {
    const { files, sh } = container()
    expect(() => files.write('/tmp/big', Buffer.alloc(9 * 1024 * 1024))).toThrow('No space left on device')
    files.write('/tmp/half', Buffer.alloc(7 * 1024 * 1024))
    expect(await sh('cat /tmp/half > /tmp/other')).toMatchObject({ code: 1, err: 'cat: /tmp/half: No space left on device\n' })
    for (let count = 0; count < 1_990; count++)
      if (files.kind(`/tmp/${count}`) === undefined && count < 1_900) files.write(`/tmp/${count}`, Buffer.alloc(0))
    const many = Array.from({ length: 200 }, (_, index) => `touch /tmp/more${index}`).join(';')
    expect((await sh(many)).err).toContain('No space left on device')
  })

  test('archives as kubectl cp makes and reads them', async () => {
    const { run, files } = container()
    const packed = await run(['tar', 'cf', '-', '/etc/app'])
    expect(packed.err).toBe("tar: Removing leading `/' from member names\n")
    const found: string[] = []
    const reader = extract()
    reader.end(packed.bytes)
    for await (const entry of reader) {
      found.push(`${entry.header.type} ${entry.header.name}`)
      entry.resume()
    }
    expect(found).toEqual(['directory etc/app/', 'file etc/app/a.conf', 'file etc/app/level'])
    expect(
      await run(['tar', 'xmf', '-', '-C', '/tmp'], [packed.bytes.subarray(0, 700), packed.bytes.subarray(700)]),
    ).toMatchObject({ code: 0, err: '' })
    expect(files.read('/tmp/etc/app/a.conf').toString()).toBe('x=1\n')
    const outside = pack()
    outside.entry({ name: '../../etc/passwd' }, 'x')
    outside.finalize()
    const bytes: Buffer[] = []
    for await (const piece of outside) bytes.push(Buffer.from(piece as Uint8Array))
    expect(await run(['tar', 'xf', '-', '-C', '/tmp/in'], bytes)).toMatchObject({
      code: 1,
      err: expect.stringContaining('is outside of /tmp/in'),
    })
    expect(await run(['tar', 'xf', '-'], [Buffer.from('no archive at all'.repeat(100))])).toMatchObject({ code: 2 })
    expect(await run(['tar', 'cf', '-', '/none'])).toMatchObject({ code: 2, err: expect.stringContaining('Cannot stat') })
  })
})
