// The launcher in a clone: sets up once, whoever else starts; mends what was interrupted; says in a line what is missing.
// npm is played by a script that installs nothing but counts; the real one is run by every clean clone.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '#kube/clock.ts'

let clone = ''
const project = join(import.meta.dirname, '..')

/** `ping`: what npm does when it is asked whether it reaches its registry. */
const npm = (body: string, ping = '') => `
import { appendFileSync, mkdirSync, symlinkSync, existsSync } from 'node:fs'
import { join } from 'node:path'
if (process.argv[2] === 'ping') {
  ${ping}
  process.exit(0)
}
appendFileSync(join(process.cwd(), 'installs.txt'), process.argv.slice(2).join(' ') + '\\n')
${body}
const bin = join(process.cwd(), 'node_modules', '.bin')
mkdirSync(bin, { recursive: true })
if (!existsSync(join(bin, 'node'))) symlinkSync(${JSON.stringify(process.execPath)}, join(bin, 'node'))
`

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'ballast-launcher-'))
  cpSync(join(project, 'bin'), join(clone, 'bin'), { recursive: true })
  mkdirSync(join(clone, 'src', 'cli'), { recursive: true })
  writeFileSync(join(clone, 'package.json'), '{"type":"module"}')
  writeFileSync(join(clone, 'package-lock.json'), '{}')
  writeFileSync(
    join(clone, 'src', 'cli', 'main.ts'),
    'const said: string = process.argv.slice(2).join(" ")\nconsole.log("ran", said)\nprocess.exitCode = said === "fail" ? 3 : 0\n',
  )
  writeFileSync(join(clone, 'npm.js'), npm(''))
})
afterEach(() => rmSync(clone, { recursive: true, force: true }))

const environment = () => ({ ...process.env, npm_execpath: join(clone, 'npm.js') })
const start = (...args: string[]) =>
  spawnSync(process.execPath, [join(clone, 'bin', 'ballast'), ...args], {
    encoding: 'utf8',
    env: environment(),
    timeout: 240_000,
  })
const installs = () =>
  existsSync(join(clone, 'installs.txt')) ? readFileSync(join(clone, 'installs.txt'), 'utf8').trim().split('\n') : []

describe('a start', () => {
  test('sets up the first time, not the second, and passes arguments and exit code on', () => {
    expect(start('plan', '-o', 'json')).toMatchObject({ status: 0, stdout: 'ran plan -o json\n' })
    expect(start('fail')).toMatchObject({ status: 3, stdout: 'ran fail\n', stderr: '' })
    expect(installs()).toHaveLength(1)
    expect(installs()[0]).toMatch(/^install --no-save /)
  })

  test('sets up again when the lock file changed', () => {
    start('a')
    writeFileSync(join(clone, 'package-lock.json'), '{"changed":true}')
    expect(start('b')).toMatchObject({ status: 0 })
    expect(installs()).toHaveLength(2)
  })

  test('sets up again when what was installed is gone', () => {
    start('a')
    rmSync(join(clone, 'node_modules', '.bin'), { recursive: true })
    expect(start('b')).toMatchObject({ status: 0, stdout: 'ran b\n' })
    expect(installs()).toHaveLength(2)
  })

  test('takes over from a start that was killed while it installed', () => {
    mkdirSync(join(clone, '.ballast'))
    const dead = spawnSync(process.execPath, ['--eval', '']).pid
    writeFileSync(join(clone, '.ballast', 'install.lock'), String(dead))
    mkdirSync(join(clone, 'node_modules'))
    writeFileSync(join(clone, 'node_modules', '.ballast-installed.json'), '{"hash":"cut o')
    expect(start('a')).toMatchObject({ status: 0, stdout: 'ran a\n' })
    expect(existsSync(join(clone, '.ballast', 'install.lock'))).toBe(false)
  })

  test('says in a line when npm fails, and tries again the next time', () => {
    writeFileSync(join(clone, 'npm.js'), npm('process.exit(7)'))
    const failed = start('a')
    expect(failed).toMatchObject({ status: 1, stdout: '' })
    expect(failed.stderr).toMatch(/npm install ended with 7/)
    expect(failed.stderr).not.toMatch(/\n\s+at /)
    writeFileSync(join(clone, 'npm.js'), npm(''))
    expect(start('a')).toMatchObject({ status: 0 })
  })
})

describe('what is missing is said in a line', () => {
  const unreached = 'console.error("npm error code ENOTFOUND"); process.exit(1)'
  const said = (env: Readonly<Record<string, string>> = {}) => {
    const { status, stderr } = spawnSync(process.execPath, [join(clone, 'bin', 'ballast'), 'a'], {
      encoding: 'utf8',
      env: {
        ...environment(),
        HTTPS_PROXY: '',
        https_proxy: '',
        HTTP_PROXY: '',
        http_proxy: '',
        npm_config_https_proxy: '',
        npm_config_proxy: '',
        ...env,
      },
      timeout: 240_000,
    })
    const lines = stderr.trim().split('\n')
    expect(stderr).not.toMatch(/\n\s+at /)
    return `${status} ${lines.at(-1)}`
  }
  const tool = { packages: { 'node_modules/@tool/here': { optional: true, os: [process.platform], cpu: [process.arch] } } }

  test('no registry, and npm has not everything in its cache', () => {
    writeFileSync(join(clone, 'npm.js'), npm('process.exit(1)', unreached))
    expect(said()).toMatch(/^1 ballast: npm does not reach its package registry \(ENOTFOUND\).* set HTTPS_PROXY where/)
    expect(said({ HTTPS_PROXY: 'http://gone.example:1' })).toMatch(/check the proxy that HTTPS_PROXY names/)
    expect(installs()[0]).toMatch(/ --offline$/)
  })

  test('no registry, and everything is in the cache: it starts; not where a package of this platform is missing', () => {
    writeFileSync(join(clone, 'npm.js'), npm('', unreached))
    expect(start('a')).toMatchObject({ status: 0, stdout: 'ran a\n' })
    writeFileSync(join(clone, 'package-lock.json'), JSON.stringify(tool))
    expect(said()).toMatch(/^1 ballast: npm does not reach its package registry/)
  })

  // biome-ignore format: a table
  test.each([
    ['no space', 'console.error("npm error code ENOSPC"); process.exit(228)', {}, /no space is left on the disk/],
    ['no right to write', 'console.error("npm error code EACCES"); process.exit(243)', {}, /cannot be written \(EACCES\)/],
    ['a download that breaks off', 'console.error("npm error code ECONNRESET"); process.exit(1)', {}, /does not reach its package registry \(ECONNRESET\)/],
    ['a package of this platform that npm left out', '', tool, /npm left @tool\/here out/],
  ])('%s', (_what, body, lock, words) => {
    writeFileSync(join(clone, 'npm.js'), npm(body))
    writeFileSync(join(clone, 'package-lock.json'), JSON.stringify(lock))
    expect(said()).toMatch(words)
  })

  test('a clone that is no folder of ours to write', () => {
    writeFileSync(join(clone, '.ballast'), 'a file where a folder has to be')
    expect(said()).toMatch(/^1 ballast: .* cannot be written/)
  })
})

test.each([
  ['it wrote no number', ''],
  ['its number is of another process by now', String(process.pid)],
])('a lock whose holder is gone is taken over: %s', (_what, content) => {
  mkdirSync(join(clone, '.ballast'))
  const lock = join(clone, '.ballast', 'install.lock')
  writeFileSync(lock, content)
  utimesSync(lock, new Date(0), new Date(0))
  expect(start('a')).toMatchObject({ status: 0, stdout: 'ran a\n' })
  expect(existsSync(lock)).toBe(false)
})

test('two starts at once install once, and both run', async () => {
  // The second start comes while the first installs: the script waits until both have been started.
  writeFileSync(
    join(clone, 'npm.js'),
    npm("while (!existsSync(join(process.cwd(), 'both'))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)"),
  )
  const begin = (name: string) => {
    const child = spawn(process.execPath, [join(clone, 'bin', 'ballast'), name], { env: environment() })
    let words = ''
    const { promise, resolve } = Promise.withResolvers<string>()
    const waits = Promise.withResolvers<void>()
    child.stdout.on('data', (chunk: Buffer) => (words += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => {
      if (/waiting for it|setting up/.test(chunk.toString())) waits.resolve()
    })
    child.on('close', code => resolve(`${code} ${words}`))
    return { ended: promise, spoke: waits.promise }
  }
  const one = begin('one')
  const two = begin('two')
  await Promise.all([one.spoke, two.spoke])
  writeFileSync(join(clone, 'both'), '')
  expect(await Promise.all([one.ended, two.ended])).toEqual(['0 ran one\n', '0 ran two\n'])
  expect(installs()).toHaveLength(1)
})

test('the child of a launcher that was killed ends by itself', async () => {
  start('warm')
  writeFileSync(
    join(clone, 'src', 'cli', 'main.ts'),
    'process.on("disconnect", () => process.exit(0))\nconsole.log(process.pid)\nsetInterval(() => undefined, 1000)\n',
  )
  const launcher = spawn(process.execPath, [join(clone, 'bin', 'ballast')], { env: environment() })
  const { promise, resolve } = Promise.withResolvers<number>()
  launcher.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())))
  const pid = await promise
  const closed = new Promise(done => launcher.stdout.once('close', done))
  launcher.kill('SIGKILL')
  // Both write to one pipe: it closes when the last of them is gone. While the child lives this waits for ever.
  await closed
  expect(pid).toBeGreaterThan(0)
})

describe('a child that does not end', () => {
  const deaf =
    'for (const one of ["SIGTERM", "disconnect"]) process.on(one, () => undefined)\nsetInterval(() => undefined, 1000)\nconsole.log("runs")\n'

  test.each([
    ['is killed when it is told again', '3600'],
    ['is killed some time after it was told', '0.001'],
  ])('%s', async (_, seconds) => {
    start('warm')
    writeFileSync(join(clone, 'src', 'cli', 'main.ts'), deaf)
    const env = { ...environment(), BALLAST_TERMINATION_GRACE_SECONDS: seconds }
    const launcher = spawn(process.execPath, [join(clone, 'bin', 'ballast')], { env })
    await new Promise(said => launcher.stdout.once('data', said))
    let end: NodeJS.Signals | null | undefined
    const closed = new Promise(done => launcher.stdout.once('close', done))
    launcher.once('exit', (_code, signal) => {
      end = signal
    })
    launcher.kill('SIGTERM')
    // What comes within half a second of the first is the same wish.
    while (end === undefined) {
      await systemClock.after(100)
      if (seconds === '3600') launcher.kill('SIGTERM')
    }
    expect(end).toBe('SIGKILL')
    await closed
  })
})

test('an installation ends with the start that began it', async () => {
  writeFileSync(
    join(clone, 'npm.js'),
    npm('console.error("npm runs")\nsetInterval(() => undefined, 1000)\nawait new Promise(() => undefined)'),
  )
  const launcher = spawn(process.execPath, [join(clone, 'bin', 'ballast')], { env: environment() })
  await new Promise<void>(said =>
    launcher.stderr.on('data', (chunk: Buffer) => (/npm runs/.test(String(chunk)) ? said() : undefined)),
  )
  // npm writes there, too: it closes when both are gone.
  const closed = new Promise(done => launcher.stderr.once('close', done))
  launcher.kill('SIGTERM')
  await closed
  expect(existsSync(join(clone, '.ballast', 'install.lock'))).toBe(false)
})
