// The pool of workers. A pipe that nobody writes stands for a server that does not answer: who opens it waits in the kernel.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock, VirtualClock } from '#kube/clock.ts'
import { bytesOf } from './byte-text.ts'
import { attempt, FileWorkFailed } from './file-work-failed.ts'
import { FileWorkers, type FileWorkersOptions, type RunOptions } from './file-workers.ts'
import { Scratch } from './testdata/trees.ts'

const hanging = join(import.meta.dirname, 'testdata', 'hanging-process.ts')

describe.skipIf(process.platform !== 'linux')('workers', () => {
  let scratch: Scratch
  let clock: VirtualClock
  let workers: FileWorkers | undefined

  beforeEach(() => {
    scratch = new Scratch()
    clock = new VirtualClock(0)
    execFileSync('mkfifo', [join(scratch.path, 'hang')])
  })
  afterEach(async () => {
    await workers?.[Symbol.asyncDispose]()
    workers = undefined
    scratch[Symbol.dispose]()
  })

  const open = (options: Partial<FileWorkersOptions> = {}) => {
    workers = new FileWorkers({ clock, ...options })
    return workers
  }
  /** A work of the program that hangs; its answer is the process id. */
  const ask = async (pool: FileWorkers, name: string, options: Partial<RunOptions> = {}): Promise<number> => {
    const path = join(scratch.path, name)
    const answer: object = await pool.run(
      { kind: 'stat', path },
      { limitMs: 10_000, signal: new AbortController().signal, ...options },
    )
    return 'pid' in answer && typeof answer.pid === 'number' ? answer.pid : Number.NaN
  }
  const isThere = (pid: number) => existsSync(`/proc/${pid}`)
  /** Processes of this test's own that hang in the pipe. */
  const waitsInPipe = () =>
    expect.poll(() => {
      const tasks = readdirSync('/proc').filter(name => /^\d+$/.test(name))
      return tasks.filter(pid => {
        try {
          const [stat = '', waits] = ['stat', 'wchan'].map(file => readFileSync(`/proc/${pid}/${file}`, 'latin1'))
          return stat.includes(` S ${process.pid} `) && waits === 'wait_for_partner'
        } catch {
          // It ended between the two looks.
          return false
        }
      }).length
    })

  test('do real work in a process of their own, which is kept for the next', async () => {
    const pool = open({ clock: systemClock })
    const options = { limitMs: 60_000, signal: new AbortController().signal }
    const root = scratch.path
    expect(await pool.run({ kind: 'makeDirectory', root, path: 'pvc-1', mode: 0o2770 }, options)).toEqual({ made: true })
    writeFileSync(join(root, 'pvc-1/a'), 'text')
    const into = { root, directory: 'snap', name: 'pvc-1' }
    const made = await pool.run({ kind: 'pack', root, path: 'pvc-1', into, compression: 'gzip' }, options)
    expect(made).toMatchObject({ kind: 'made', entries: 2 })
    const archive = { root, path: 'snap/pvc-1.tar.gz' }
    expect(await pool.run({ kind: 'verify', archive }, options)).toMatchObject({ seal: 'right', problems: [] })
    mkdirSync(join(root, 'pvc-2'))
    const limits = { bytes: 100, entries: 10 }
    await pool.run({ kind: 'unpack', archive, root, path: 'pvc-2', limits }, options)
    await pool.run({ kind: 'copyTree', from: { root, path: 'pvc-2' }, root, path: 'pvc-1' }, options)
    expect(readFileSync(join(root, 'pvc-2/a'), 'utf8')).toBe('text')
    expect(await pool.run({ kind: 'archiveTree', root, path: 'pvc-2', replaces: 'refuse' }, options)).toMatchObject({
      moved: true,
    })
    expect(await pool.run({ kind: 'removeTree', root, path: 'pvc-1' }, options)).toEqual({ entries: 2, parents: 0 })
    const listed = await pool.run({ kind: 'list', root, path: '', limit: 10 }, options)
    expect(listed.entries.map(({ name }) => name)).toEqual(['archived-pvc-2', 'hang', 'snap'])
    expect(
      await pool.run({ kind: 'usage', root, path: 'snap', limits: { entries: 9, entriesPerSecond: 1e5 } }, options),
    ).toMatchObject({ entries: 2 })
    expect(await pool.run({ kind: 'stat', path: root }, options)).toMatchObject({ type: 'directory' })
    expect(Number((await pool.run({ kind: 'statfs', path: root }, options)).blocks)).toBeGreaterThan(0)
    expect(await pool.run({ kind: 'sweep', root, olderThanMs: 0 }, options)).toEqual({ removed: [], isWhole: true })
    const refused = pool.run({ kind: 'list', root, path: 'none', limit: 1 }, options)
    await expect(refused).rejects.toBeInstanceOf(FileWorkFailed)
    await expect(refused).rejects.toMatchObject({ code: 'ENOENT', path: join(root, 'none') })
    expect(pool.working).toBe(0)
  })

  test('end after 30 s without work, and are started again', async () => {
    const pool = open({ program: hanging })
    const first = await ask(pool, 'a')
    await clock.advance(29_000)
    expect(await ask(pool, 'b')).toBe(first)
    await clock.advance(29_999)
    expect(isThere(first)).toBe(true)
    await clock.advance(1)
    await expect.poll(() => isThere(first)).toBe(false)
    expect(await ask(pool, 'c')).not.toBe(first)
  })

  test('that hang are killed at their limit, and the others go on', async () => {
    const pool = open({ program: hanging })
    const hung = ask(pool, 'hang', { limitMs: 5_000 })
    await waitsInPipe().toBe(1)
    expect(await ask(pool, 'a')).toBeGreaterThan(0)
    const refused = expect(hung).rejects.toThrow(
      `stat in ${join(scratch.path, 'hang')}: not done within 5 s; its server may not answer`,
    )
    await clock.advance(5_000)
    await refused
    await waitsInPipe().toBe(0)
    expect([pool.abandoned, pool.working]).toEqual([0, 0])
  })

  test('are killed by a signal, and its reason is told', async () => {
    const pool = open({ program: hanging })
    const stop = new AbortController()
    const hung = ask(pool, 'hang', { signal: stop.signal })
    await waitsInPipe().toBe(1)
    const reason = new Error('the call was cancelled')
    stop.abort(reason)
    await expect(hung).rejects.toBe(reason)
    await expect(ask(pool, 'a', { signal: stop.signal })).rejects.toBe(reason)
    await waitsInPipe().toBe(0)
  })

  test('that cannot be killed are given up and replaced, and beyond a bound nothing is begun', async () => {
    const hung: number[] = []
    // As a process in an uninterruptible wait: the signal comes, and nothing happens.
    let isStuck = true
    const kill = (pid: number) => {
      if (isStuck) hung.push(pid)
      else if (isThere(pid)) process.kill(pid, 'SIGKILL')
    }
    const pool = open({ program: hanging, mostAbandoned: 2, kill })
    try {
      for (const count of [1, 2]) {
        const work = ask(pool, 'hang', { limitMs: 1_000 })
        const refused = expect(work).rejects.toMatchObject({ code: 'DEADLINE' })
        await waitsInPipe().toBe(count)
        await clock.advance(1_000)
        expect([pool.abandoned, pool.working]).toEqual([count - 1, 1])
        await clock.advance(2_000)
        await refused
        expect([pool.abandoned, pool.working]).toEqual([count, 0])
      }
      await expect(ask(pool, 'a')).rejects.toThrow(
        'stat: 2 workers hang in calls that a server does not answer and cannot be ended, no more are started',
      )
      await expect(ask(pool, 'a')).rejects.toMatchObject({ code: 'ABANDONED' })
    } finally {
      isStuck = false
      for (const pid of new Set(hung)) process.kill(pid, 'SIGKILL')
    }
    // The server is back: they end, and work goes on.
    await expect.poll(() => pool.abandoned).toBe(0)
    expect(await ask(pool, 'a')).toBeGreaterThan(0)
  })

  test('that die take only their own work with them', async () => {
    const pool = open({ program: hanging })
    await expect(ask(pool, 'dies')).rejects.toMatchObject({
      code: 'WORKER_ENDED',
      message: 'stat: the worker ended with code 7 out of memory',
    })
    expect(await ask(pool, 'a')).toBeGreaterThan(0)
  })

  test('that cannot be started are told', async () => {
    const pool = open({ program: join(scratch.path, 'none.ts') })
    await expect(ask(pool, 'a')).rejects.toMatchObject({ code: 'WORKER_ENDED' })
    expect(pool.working).toBe(0)
  })

  test('are at most four at once, and what waits has its limit too', async () => {
    const pool = open({ program: hanging })
    const stop = new AbortController()
    const hung = Array.from({ length: 4 }, () => ask(pool, 'hang', { signal: stop.signal }))
    const waits = ask(pool, 'a', { limitMs: 2_000 })
    await waitsInPipe().toBe(4)
    expect([pool.working, pool.waiting]).toEqual([4, 1])
    const refused = expect(waits).rejects.toMatchObject({ code: 'DEADLINE' })
    await clock.advance(2_000)
    await refused
    expect(pool.waiting).toBe(0)
    const next = ask(pool, 'b')
    const aborted = Promise.allSettled(hung)
    stop.abort(new Error('stop'))
    await aborted
    expect(await next).toBeGreaterThan(0)
  })

  test('of one server are at most half, so that a dead one holds up no other', async () => {
    const pool = open({ program: hanging })
    const stop = new AbortController()
    const hung = Array.from({ length: 6 }, () => ask(pool, 'hang', { signal: stop.signal, server: 'dead' }))
    await waitsInPipe().toBe(2)
    expect([pool.working, pool.waiting]).toEqual([2, 4])
    expect(await ask(pool, 'a', { server: 'alive' })).toBeGreaterThan(0)
    const settled = Promise.allSettled(hung)
    stop.abort(new Error('stop'))
    await settled
  })

  test('leave one of them to short works', async () => {
    const pool = open({ program: hanging, most: 2 })
    const stop = new AbortController()
    const options = { limitMs: 10_000, signal: stop.signal }
    const long = [1, 2].map(() => pool.run({ kind: 'removeTree', root: '/', path: join(scratch.path, 'hang') }, options))
    await waitsInPipe().toBe(1)
    expect([pool.working, pool.waiting]).toEqual([1, 1])
    expect(await ask(pool, 'a')).toBeGreaterThan(0)
    const settled = Promise.allSettled(long)
    stop.abort(new Error('stop'))
    await settled
  })

  test('have a queue that ends', async () => {
    const pool = open({ program: hanging, most: 1 })
    const stop = new AbortController()
    const all = Array.from({ length: 1_001 }, () => ask(pool, 'hang', { signal: stop.signal }))
    const settled = Promise.allSettled(all)
    await expect(ask(pool, 'a')).rejects.toMatchObject({ code: 'OVERLOADED' })
    stop.abort(new Error('stop'))
    expect((await settled).filter(({ status }) => status === 'fulfilled')).toEqual([])
  })

  test('tell how far they have come', async () => {
    const told: unknown[] = []
    await ask(open({ program: hanging }), 'progress', { onProgress: progress => told.push(progress) })
    expect(told).toEqual([{ entries: 3, bytes: 4 }])
  })

  test('end with their pool, and with what they do', async () => {
    const pool = open({ program: hanging, most: 1 })
    const idle = await ask(pool, 'a')
    const works = Promise.allSettled([ask(pool, 'hang'), ask(pool, 'b')])
    await waitsInPipe().toBe(1)
    await pool[Symbol.asyncDispose]()
    expect((await works).map(one => (one.status === 'rejected' ? one.reason.code : 'done'))).toEqual([
      'WORKER_ENDED',
      'WORKER_ENDED',
    ])
    expect(isThere(idle)).toBe(false)
    await expect(ask(pool, 'a')).rejects.toMatchObject({ code: 'WORKER_ENDED' })
  })
})

describe('an error of the system', () => {
  const failing = (errno: number, code: string) => () =>
    attempt('open', bytesOf('/share/a'), () => {
      throw Object.assign(new Error(code), { errno, code, syscall: 'open' })
    })

  // biome-ignore format: a table
  test.each([
    [-13,  'EACCES',                    'EACCES', 'open /share/a: permission denied (EACCES)'],
    [-28,  'ENOSPC',                    'ENOSPC', 'open /share/a: no space left on device (ENOSPC)'],
    [-30,  'EROFS',                     'EROFS',  'open /share/a: read-only file system (EROFS)'],
    // Node has no name for these.
    [-116, 'Unknown system error -116', 'ESTALE', 'open /share/a: stale file handle (ESTALE)'],
    [-122, 'Unknown system error -122', 'EDQUOT', 'open /share/a: disk quota exceeded (EDQUOT)'],
    [-121, 'Unknown system error -121', 'EREMOTEIO', 'open /share/a: remote I/O error (EREMOTEIO)'],
  ])('%s has a code and words', (errno, code, expected, message) => {
    expect(failing(errno, code)).toThrow(expect.objectContaining({ code: expected, path: '/share/a', message }))
  })

  test('that is none passes as it is', () => {
    expect(() =>
      attempt('open', bytesOf('/a'), () => {
        throw new RangeError('mine')
      }),
    ).toThrow(RangeError)
  })
})
