// `ballast node-config`: the files that make containerd ask the mirror, for whoever builds machines.

import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { type DefineCommand, oneOf, type Surroundings, wholeNumber } from '#cli/command-line.ts'
import { messageOf } from '#kube/log.ts'
import { InputError, problemSentence } from '#kube/problem.ts'
import { CommandRefused, type ExitCode, exitCodes } from '#process/surroundings.ts'
import { type NodeWish, nodeSettings, platforms, standardTalosPart } from '../node-files/node-settings.ts'
import { type NodeText, nodeTexts, printedTexts } from '../node-files/node-texts.ts'
import { lineDifference } from './node-config-diff.ts'

interface NodeConfigOptions {
  readonly nodeIp?: string
  readonly port: number
  readonly mirror: readonly string[]
  readonly registry: readonly string[]
  readonly resolveTags: boolean
  readonly dialTimeout: string
  readonly configPath?: string
  readonly basicAuthDir?: string
  readonly containerd: 1 | 2
  readonly keepLayers: boolean
  readonly allowLoopback?: boolean
  readonly talosPart: string
  readonly outputDir?: string
  readonly force?: boolean
  readonly check?: boolean
  readonly output: 'text' | 'json'
}

const meanings: Readonly<Record<(typeof platforms)[number], string>> = {
  hosts: "containerd's hosts files",
  'cloud-init': 'user data that writes the files; the node finds its address by itself',
  talos: 'a patch of the machine configuration of one node',
  ignition: 'the files in the form of Ignition',
  nodeadm: 'user data of EKS: a script, then a NodeConfig',
  containerd: "the part of containerd's own configuration, without which a mirror is not asked or has nothing to give",
}

/** What stands behind the command's name in its example. */
const examples: Readonly<Record<(typeof platforms)[number], string>> = {
  hosts: ' --node-ip 10.0.0.7 --registry https://docker.io',
  'cloud-init': ' > user-data',
  talos: ' --node-ip 10.0.0.7 > patch-10.0.0.7.yaml',
  ignition: ' --node-ip 10.0.0.7 > node.ign',
  nodeadm: ' > user-data',
  containerd: ' --containerd 2',
}

export const defineNodeConfig: DefineCommand = (program, surroundings, about) => {
  const command = program
    .command('node-config')
    .description(about)
    .addHelpText('after', '\nExample: ballast node-config hosts --node-ip 10.0.0.7')
  for (const platform of platforms)
    withOptions(command.command(platform).description(meanings[platform]), platform).action(async (options: NodeConfigOptions) =>
      surroundings.end(await run({ platform, options, surroundings })),
    )
}

function withOptions(command: Command, platform: (typeof platforms)[number]): Command {
  const several = (text: string, before: readonly string[]) => [...before, text]
  return command
    .option('--node-ip <ip>', "the node's own address, or auto: found on the node (not talos, ignition)")
    .option('--port <number>', "the mirror's port", wholeNumber(1, 65_535), 30_020)
    .option('--mirror <url>', "a mirror to ask instead of the node's own; repeatable, and asked in this order", several, [])
    .option('--registry <url>', 'only for this registry, https://ghcr.io; repeatable', several, [])
    .option('--resolve-tags [boolean]', 'ask the mirror for tags, too', truth, true)
    .option('--dial-timeout <duration>', "how long to try the mirror; '' leaves it to containerd", '200ms')
    .option('--config-path <directory>', 'where the hosts files lie; /etc/containerd/certs.d unless told otherwise')
    .option('--basic-auth-dir <directory>', 'folder with the files username and password, which containerd sends')
    .option('--containerd <line>', 'major version of containerd, whose plugin names the fragment uses: 1 or 2', line, 2)
    .option('--keep-layers [boolean]', 'have containerd keep the layers that it unpacked', truth, true)
    .option('--allow-loopback', 'talos: accept 127.0.0.1')
    .option('--talos-part <path>', "talos: where the part of containerd's configuration is put", standardTalosPart)
    .option(
      '--output-dir <directory>',
      "write the files below this folder, which stands for the node's root, instead of printing them",
    )
    .option('--force', 'overwrite files that differ')
    .option('--check', 'compare with the files that are there and print what differs')
    .option('-o, --output <format>', 'text or json', oneOf('text', 'json'), 'text')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, or all the same, 1 a file cannot be read or written, 2 bad usage or\ninput, 3 --check found a difference.' +
        `\nExample: ballast node-config ${platform}${examples[platform]}`,
    )
}

function truth(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw new InvalidArgumentError('It must be true or false.')
}

function line(text: string): 1 | 2 {
  if (text === '1' || text === '2') return text === '1' ? 1 : 2
  throw new InvalidArgumentError('It must be 1 or 2.')
}

interface Asked {
  readonly platform: (typeof platforms)[number]
  readonly options: NodeConfigOptions
  readonly surroundings: Surroundings
}

async function run({ platform, options, surroundings: { terminal } }: Asked): Promise<ExitCode> {
  const { outputDir, check, force, output } = options
  if (force === true && (outputDir === undefined || check === true))
    throw new CommandRefused('--force needs --output-dir and excludes --check')
  const wish: NodeWish = {
    platform,
    nodeIp: options.nodeIp,
    port: options.port,
    mirrors: options.mirror,
    registries: options.registry,
    resolveTags: options.resolveTags,
    dialTimeout: options.dialTimeout,
    configPath: options.configPath,
    basicAuth: options.basicAuthDir === undefined ? undefined : await basicAuth(options.basicAuthDir),
    containerd: options.containerd,
    keepLayers: options.keepLayers,
    allowLoopback: options.allowLoopback === true,
    talosPart: options.talosPart,
  }
  const settings = settingsOf(wish, terminal)
  if (settings === undefined) return exitCodes.badInput
  const texts = nodeTexts(settings)
  for (const warning of texts.warnings) terminal.say(`warning: ${warning}`)
  if (check === true) return await compare(texts.files, outputDir, terminal)
  if (outputDir !== undefined) {
    await writeAll(texts.files, { outputDir, force: force === true, terminal })
    return exitCodes.done
  }
  terminal.write(output === 'json' ? JSON.stringify(texts.files, undefined, 2) : printedTexts(texts).replace(/\n$/, ''))
  return exitCodes.done
}

/** `undefined` where the arguments are wrong: each mistake is told, in the platform's own words where it has some. */
function settingsOf(wish: NodeWish, terminal: Surroundings['terminal']): ReturnType<typeof nodeSettings> | undefined {
  try {
    return nodeSettings(wish)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    for (const problem of error.problems) terminal.say(problem.message ?? problemSentence(problem))
    return undefined
  }
}

/** Both files may be missing; a newline at their end is none of theirs. */
async function basicAuth(directory: string): Promise<{ readonly username: string; readonly password: string }> {
  const read = async (name: string) => ((await textAt(join(directory, name))) ?? '').replace(/\r?\n$/, '')
  const auth = { username: await read('username'), password: await read('password') }
  if (auth.username === '' && auth.password === '')
    throw new CommandRefused(`--basic-auth-dir: found neither username nor password in ${directory}, expected one of the files`)
  return auth
}

/** Paths of the node lie below the directory whole, so that `/` is the node itself. */
const placed = (path: string, directory: string): string => join(resolve(directory), path)

async function compare(
  files: readonly NodeText[],
  outputDir: string | undefined,
  terminal: Surroundings['terminal'],
): Promise<ExitCode> {
  if (outputDir === undefined && files.some(({ path }) => !path.startsWith('/')))
    throw new CommandRefused('--check: expected --output-dir, which says where the file lies')
  let isSame = true
  for (const { path, content } of files) {
    const place = placed(path, outputDir ?? '/')
    const difference = lineDifference(place, await textAt(place), content)
    if (difference.length > 0) isSame = false
    for (const text of difference) terminal.write(text)
  }
  return isSame ? exitCodes.done : exitCodes.notSo
}

/** All or nothing is decided before the first is written. */
async function writeAll(
  files: readonly NodeText[],
  {
    outputDir,
    force,
    terminal,
  }: { readonly outputDir: string; readonly force: boolean; readonly terminal: Surroundings['terminal'] },
): Promise<void> {
  const found = await Promise.all(files.map(({ path }) => textAt(placed(path, outputDir))))
  const other = files.filter(({ content }, index) => found[index] !== undefined && found[index] !== content)
  if (other.length > 0 && !force) {
    const places = other.map(({ path }) => placed(path, outputDir)).join(', ')
    throw new CommandRefused(`${places} says something else: --force overwrites it, --check shows what differs`, exitCodes.failed)
  }
  for (const [index, file] of files.entries()) {
    const place = placed(file.path, outputDir)
    if (found[index] === file.content) terminal.say(`unchanged ${place}`)
    else {
      await writeWhole(place, file)
      terminal.say(`wrote ${place}`)
    }
  }
}

async function writeWhole(path: string, { content, mode }: NodeText): Promise<void> {
  const draft = `${path}.${process.pid}.draft`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(draft, content, { mode, flush: true })
    await chmod(draft, mode)
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw new CommandRefused(`write ${path}: ${messageOf(error)}`, exitCodes.failed)
  }
}

async function textAt(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new CommandRefused(`read ${path}: ${messageOf(error)}`, exitCodes.failed)
  }
}
