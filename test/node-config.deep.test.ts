// `ballast node-config` as a person runs it: what is printed, written, compared, and with which code it ends.
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lineDifference } from '../src/capabilities/mirror/commands/node-config-diff.ts'
import { runBallast } from './cli/run-ballast.ts'

const three = (address: string, port = 30_020) =>
  `[host.'http://${address}:${port}']\ncapabilities = ['pull', 'resolve']\ndial_timeout = '200ms'\n`

test('case N1, case 22: the three lines and nothing else; loopback is refused', async () => {
  const plain = await runBallast(['node-config', 'hosts'])
  expect(plain).toMatchObject({ code: 0, output: three('${NODE_IP}'), words: '' })
  const given = await runBallast(['node-config', 'hosts', '--node-ip', '192.0.2.10', '--port', '30020'])
  expect(given).toMatchObject({ code: 0, output: three('192.0.2.10'), words: '' })
  const loopback = await runBallast(['node-config', 'hosts', '--node-ip', '127.0.0.1'])
  expect(loopback).toMatchObject({ code: 2, output: '' })
})

test('case 25: talos without an address', async () => {
  expect(await runBallast(['node-config', 'talos'])).toMatchObject({
    code: 2,
    output: '',
    words: 'talos cannot fill in the node address: give --node-ip (one patch per node)\n',
  })
})

test('written, compared, refused, overwritten', async () => {
  const root = await mkdtemp(join(tmpdir(), 'node-config-'))
  try {
    const words = ['node-config', 'hosts', '--node-ip', '10.0.0.7', '--output-dir', root]
    const path = join(root, 'etc/containerd/certs.d/_default/hosts.toml')
    const missing = await runBallast([...words, '--check'])
    expect(missing.code).toBe(3)
    expect(missing.output).toContain(`--- /dev/null\n+++ ${path}\n+[host.'http://10.0.0.7:30020']`)
    expect(await runBallast(words)).toMatchObject({ code: 0, output: '', words: `wrote ${path}\n` })
    expect(await readFile(path, 'utf8')).toBe(three('10.0.0.7'))
    expect((await stat(path)).mode & 0o777).toBe(0o644)
    expect(await runBallast([...words, '--check'])).toMatchObject({ code: 0, output: '' })
    expect(await runBallast(words)).toMatchObject({ code: 0, words: `unchanged ${path}\n` })
    await writeFile(path, three('10.0.0.8'))
    const differs = await runBallast([...words, '--check'])
    expect(differs.code).toBe(3)
    expect(differs.output).toContain("-[host.'http://10.0.0.8:30020']\n+[host.'http://10.0.0.7:30020']\n capabilities")
    expect((await runBallast(words)).code).toBe(1)
    expect(await readFile(path, 'utf8')).toBe(three('10.0.0.8'))
    expect((await runBallast([...words, '--force'])).code).toBe(0)
    expect(await readFile(path, 'utf8')).toBe(three('10.0.0.7'))
  } finally {
    await rm(root, { recursive: true })
  }
})

test.each<[string, string | undefined, string, readonly string[]]>([
  ['the same', 'a\n', 'a\n', []],
  ['a new file', undefined, 'a\n', ['--- /dev/null', '+++ f', '+a']],
  ['a line more', 'a\nc\n', 'a\nb\nc\n', ['--- f', '+++ f', ' a', '+b', ' c']],
  ['no newline at the end', 'a', 'a\n', ['--- f', '+++ f', ' a', '\\ No newline at end of file']],
])('difference: %s', (_, found, wanted, expected) => {
  expect(lineDifference('f', found, wanted)).toEqual(expected)
})
