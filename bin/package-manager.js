// npm as the launcher needs it: asked first whether it reaches its registry, so that what is missing is said within seconds and in one line.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { join } from 'node:path'

/** A mistake or a lack that is told in one line; the process ends with `code`. */
export class Refusal extends Error {
  constructor(message, code = 1) {
    super(message)
    this.code = code
  }
}

const probeMs = 10_000
const wordsMs = 30_000
const keptCharacters = 16_384
/** With less than this left on the disk, what npm left out it left out for want of space. */
const leastFreeBytes = 256 * 2 ** 20

/** Codes of npm that mean: no way to the registry, rather than a word of the registry's. */
const unreachable =
  /^(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|EPROTO|ERR_SOCKET_TIMEOUT|ENOTCACHED|E407|.*CERT.*)$/

const proxyNames = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'npm_config_https_proxy', 'npm_config_proxy']

function npmCommand() {
  // Under `npm start` npm names itself; its own JavaScript needs no shell, on Windows either.
  const script = process.env.npm_execpath
  if (script?.endsWith('.js') && existsSync(script)) return [process.execPath, [script]]
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm', []]
}

/** Starts npm; its output is passed on where `isShown`, and kept to be judged. */
function startNpm(root, args, isShown) {
  const [command, first] = npmCommand()
  const child = spawn(command, [...first, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32' && first.length === 0,
  })
  const said = { words: '' }
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      said.words = (said.words + String(chunk)).slice(-keptCharacters)
      if (isShown) process.stderr.write(chunk)
    })
  return { child, said }
}

function codeIn(words) {
  return /npm (?:error|ERR!) code (\S+)/.exec(words)?.[1]
}

/** Why npm does not reach its registry; `undefined`: it does, or says something else, which the installation will tell. */
async function registryTrouble(root, follow) {
  const { child, said } = startNpm(root, ['ping', '--fetch-retries=0', `--fetch-timeout=${probeMs - 2000}`], false)
  const isLate = { now: false }
  const timer = setTimeout(() => {
    isLate.now = true
    child.kill('SIGKILL')
  }, probeMs)
  try {
    const [status, signal] = await follow(child, false)
    if (status === null && !isLate.now) throw new Refusal(`ballast: setting up was ended by ${signal}`)
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw new Refusal(`ballast: npm did not start: ${error.message}; install npm 10 or newer`)
  } finally {
    clearTimeout(timer)
  }
  if (isLate.now) return `no answer within ${probeMs / 1000} s`
  const code = codeIn(said.words)
  return code !== undefined && unreachable.test(code) ? code : undefined
}

const installArguments = [
  'install',
  '--no-save',
  '--no-audit',
  '--no-fund',
  '--include=dev',
  '--include=optional',
  '--loglevel=error',
]

/**
 * Installs what the lock file names, without a registry where npm's cache has all of it.
 * @throws Refusal with what is missing and what to do
 */
export async function install(root, follow) {
  const trouble = await registryTrouble(root, follow)
  // Downloads that stand still end after two minutes each; npm's own limits add up to more than twenty.
  const network = trouble === undefined ? ['--fetch-retries=1', '--fetch-timeout=120000'] : ['--offline']
  const { child, said } = startNpm(root, [...installArguments, ...network], trouble === undefined)
  const begun = Date.now()
  const teller = setInterval(
    () => console.error(`ballast: still installing after ${Math.round((Date.now() - begun) / 1000)} s`),
    wordsMs,
  )
  let status
  let signal
  try {
    ;[status, signal] = await follow(child, process.stdin.isTTY)
  } catch (error) {
    throw new Refusal(`ballast: npm did not start: ${error.message}; install npm 10 or newer`)
  } finally {
    clearInterval(teller)
  }
  if (signal !== null) throw new Refusal(`ballast: npm install was ended by ${signal}. Start again to try once more`)
  const missing = status === 0 ? missingOfPlatform(root) : undefined
  if (trouble !== undefined && (status !== 0 || missing !== undefined)) throw new Refusal(withoutRegistry(trouble))
  if (status !== 0) throw new Refusal(failure(root, status, said.words))
  if (missing === undefined) return
  throw new Refusal(
    isFull(root)
      ? noSpace(root)
      : `ballast: npm left ${missing} out, without which Ballast does not run here. Start again to try once more`,
  )
}

/** Whether what is missing is missing for want of space. */
export function isFull(root) {
  const { bavail, bsize } = statfsSync(root)
  return bavail * bsize < leastFreeBytes
}

/** A disk that is too full for what has to be installed, in one line. */
export function noSpace(root) {
  return `ballast: no space is left on the disk of ${root} or of npm's cache: about 1 GB is needed; free some and start again`
}

function withoutRegistry(trouble) {
  const set = proxyNames.find(name => (process.env[name] ?? '') !== '')
  const proxy = set === undefined ? 'set HTTPS_PROXY where the way out is a proxy' : `check the proxy that ${set} names`
  return `ballast: npm does not reach its package registry (${trouble}), and its cache lacks something: connect to the network, ${proxy}, or name a registry that you reach with npm config set registry; then start again`
}

/** What npm's words come to. */
function failure(root, status, words) {
  const code = codeIn(words) ?? ''
  if (code === 'ENOSPC' || /ENOSPC|no space left/i.test(words)) return noSpace(root)
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return notWritable(root, code)
  if (unreachable.test(code)) return withoutRegistry(code)
  return `ballast: npm install ended with ${status}; its words are above. Start again to try once more`
}

/** A folder that is not ours to write, in one line. */
export function notWritable(root, code) {
  return `ballast: ${root} cannot be written (${code}), and what Ballast needs is not installed in it: make it writable for the first start, or copy it to a folder of yours and start there`
}

/** A package for this platform that is missing: where a download or the disk fails npm leaves optional ones out and says nothing. */
function missingOfPlatform(root) {
  const { packages = {} } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const isGlibc = process.report?.getReport().header.glibcVersionRuntime !== undefined
  const [path] =
    Object.entries(packages).find(([at, { os, cpu, libc, optional }]) => {
      const isOurs = optional === true && os?.includes(process.platform) && cpu?.includes(process.arch)
      return isOurs && (libc === undefined || libc.includes(isGlibc ? 'glibc' : 'musl')) && !existsSync(join(root, at))
    }) ?? []
  return path?.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
}
