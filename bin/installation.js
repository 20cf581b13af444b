// Sets a clone up and finds the Node that runs Ballast. Plain JavaScript for Node 20 and newer: it runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { follow } from './follow.js'
import { install, isFull, noSpace, notWritable, Refusal } from './package-manager.js'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const modules = join(root, 'node_modules')
const stampFile = join(modules, '.ballast-installed.json')
const lockFile = join(root, '.ballast', 'install.lock')
const leastMajor = 24
const leastLauncherMajor = 20
/** A holder of the lock says that it lives every few seconds; after a minute of silence it does not. */
const shortMs = 5_000
const mostSilentMs = 60_000

/** What has to be installed, as one hash: a changed lock file or another machine asks for a new installation. */
function wanted() {
  const hash = createHash('sha256')
  for (const file of ['package.json', 'package-lock.json']) hash.update(readFileSync(join(root, file)))
  return hash.update(`${process.platform} ${process.arch}`).digest('hex')
}

function stamp() {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8'))
  } catch {
    return undefined // none yet, or cut off in the middle of a write: both ask for an installation
  }
}

/** The version that a Node binary prints, as its major number; undefined when it does not run here (another libc, a missing file). */
function majorOf(binary) {
  const { status, stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8', timeout: 20_000 })
  const major = status === 0 ? Number(/^v(\d+)\./.exec(stdout)?.[1]) : Number.NaN
  return Number.isNaN(major) ? undefined : major
}

/** Our own Node from the platform package, else the one that runs this file, if it is new enough. */
function chooseNode() {
  const packaged = join(modules, '.bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (existsSync(packaged) && (majorOf(packaged) ?? 0) >= leastMajor) return packaged
  if (Number(process.versions.node.split('.')[0]) >= leastMajor) return process.execPath
  if (isFull(root)) throw new Refusal(noSpace(root))
  throw new Refusal(
    `ballast: no Node ${leastMajor} for ${process.platform}-${process.arch} could be installed and this is Node ${process.versions.node}; install Node ${leastMajor} or newer and start again`,
  )
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Whether the lock's holder lives. One that wrote no number, and one that no longer says that it lives, is dead: its number may be another's by now. */
function isHeld() {
  let holder = Number.NaN
  let ageMs = 0
  try {
    holder = Number(readFileSync(lockFile, 'utf8'))
    ageMs = Date.now() - statSync(lockFile).mtimeMs
  } catch (error) {
    if (error.code === 'ENOENT') return false // released in this very moment
    throw error
  }
  if (holder > 0 && !isAlive(holder)) return false
  return ageMs < (holder > 0 ? mostSilentMs : shortMs)
}

function makeLockFolder() {
  try {
    // Asked first: mkdir says of a read-only disk that something is not there.
    accessSync(root, constants.W_OK)
    mkdirSync(dirname(lockFile), { recursive: true })
  } catch (error) {
    throw new Refusal(writeTrouble(error))
  }
}

/** Takes the installation lock, waiting for a living holder; a dead holder's lock is taken over. @returns what gives it back */
async function takeLock() {
  makeLockFolder()
  let said = false
  for (;;) {
    try {
      const handle = openSync(lockFile, 'wx')
      writeSync(handle, String(process.pid))
      closeSync(handle)
      const beat = setInterval(() => {
        const now = new Date()
        // A lock that somebody removed is nobody's: the installation goes on, and its end finds nothing to remove.
        if (existsSync(lockFile)) utimesSync(lockFile, now, now)
      }, shortMs)
      return () => {
        clearInterval(beat)
        rmSync(lockFile, { force: true })
      }
    } catch (error) {
      if (error.code !== 'EEXIST') throw new Refusal(writeTrouble(error))
    }
    if (!isHeld()) {
      rmSync(lockFile, { force: true })
      continue
    }
    if (!said) console.error(`ballast: another start is installing; waiting for it (${lockFile})`)
    said = true
    await wait(250)
  }
}

/** Why something of ours could not be written, in one line. */
function writeTrouble({ code, message }) {
  if (code === 'ENOSPC') return noSpace(root)
  return ['EROFS', 'EACCES', 'EPERM'].includes(code) ? notWritable(root, code) : `ballast: ${root} cannot be written: ${message}`
}

/**
 * Makes sure that what package-lock.json names is installed, once, also when two starts meet or an earlier one was interrupted.
 * @returns path of the Node binary that runs Ballast
 */
async function ensureInstalled() {
  const hash = wanted()
  const found = stamp()
  if (found?.hash === hash && existsSync(found.node)) return found.node
  const release = await takeLock()
  try {
    const again = stamp()
    if (again?.hash === hash && existsSync(again.node)) return again.node
    if (!existsSync(modules) && isFull(root)) throw new Refusal(noSpace(root))
    console.error('ballast: setting up (once; about half a minute) ...')
    rmSync(stampFile, { force: true })
    await install(root, follow)
    const node = chooseNode()
    writeFileSync(stampFile, JSON.stringify({ hash, node }))
    return node
  } catch (error) {
    throw error.syscall === undefined ? error : new Refusal(writeTrouble(error))
  } finally {
    release()
  }
}

const programs = {
  vitest: ['vitest', 'vitest.mjs'],
  biome: ['@biomejs', 'biome', 'bin', 'biome'],
  tsc: ['typescript', 'bin', 'tsc'],
}

/** Runs `arguments` with our Node after setting up, passes signals on and ends as the child ends. */
async function run(toArguments) {
  const major = Number(process.versions.node.split('.')[0])
  if (major < leastLauncherMajor)
    throw new Refusal(
      `ballast: this is Node ${process.versions.node}; install Node ${leastMajor} (or ${leastLauncherMajor}, with which Ballast sets up its own) and start again`,
    )
  const node = await ensureInstalled()
  const args = toArguments()
  // The channel tells the child when this process is gone, however it went: nobody is left behind.
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', ...args], {
    argv0: basename(process.argv[1] ?? 'ballast'),
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // Files that were stripped and compiled once start faster the next time.
    env: {
      NODE_COMPILE_CACHE: join(root, '.ballast', 'compile-cache'),
      ...process.env,
      PATH: `${join(modules, '.bin')}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`,
    },
  })
  const [code, signal] = await follow(child, process.stdin.isTTY)
  if (signal !== null) {
    process.kill(process.pid, signal)
    return
  }
  process.exitCode = code
}

/** Entry of the scripts in bin/: tells a refusal in one line. */
export async function main(toArguments) {
  try {
    await run(toArguments)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    console.error(error.message)
    process.exitCode = error.code
  }
}

/** Arguments for a program of the tool chain: `vitest run`, `node scripts/main.ts check`. */
export function toolArguments([name, ...rest]) {
  if (name === 'node') return rest
  const path = programs[name]
  if (path === undefined)
    throw new Refusal(`ballast: no program ${JSON.stringify(name)}; there are node, ${Object.keys(programs).join(', ')}`, 2)
  return [join(modules, ...path), ...rest]
}
