// What `node-config` is told, read and checked: all mistakes at once. Pure.
import { isIP, isIPv6 } from 'node:net'
import { InputError, type Problem } from '#kube/problem.ts'
import type { HostBlock } from './hosts-text.ts'
import { type HostsDirectory, parseHostsWish } from './hosts-wish.ts'

export const platforms = ['hosts', 'cloud-init', 'talos', 'ignition', 'nodeadm', 'containerd'] as const
type Platform = (typeof platforms)[number]

export interface NodeWish {
  readonly platform: Platform
  /** An address, `auto`, or nothing: what the platform has for it. */
  readonly nodeIp: string | undefined
  readonly port: number
  /** Mirrors beside, or in place of, the node's own: the first replaces it. */
  readonly mirrors: readonly string[]
  readonly registries: readonly string[]
  readonly resolveTags: boolean
  readonly dialTimeout: string
  /** `undefined`: what the platform has. */
  readonly configPath: string | undefined
  readonly basicAuth: { readonly username: string; readonly password: string } | undefined
  readonly containerd: 1 | 2
  readonly keepLayers: boolean
  readonly allowLoopback: boolean
  /** Talos: where the part of containerd's configuration is put. */
  readonly talosPart: string
}

const standardConfigPath = '/etc/containerd/certs.d'
const talosConfigPath = '/etc/cri/conf.d/hosts'
export const standardTalosPart = '/etc/cri/conf.d/20-customization.part'
/** What is put in place of the address where whoever reads the text fills it in. */
const placeholder = `\${NODE_IP}`

export interface NodeSettings {
  readonly platform: Platform
  readonly directories: readonly HostsDirectory[]
  readonly hosts: readonly HostBlock[]
  readonly configPath: string
  /** The node finds its address by itself. */
  readonly isAuto: boolean
  readonly keepLayers: boolean
  readonly containerd: 1 | 2
  readonly talosPart: string
}

/** Stands for the node while addresses are checked: a name that no mirror can have. */
const stand = 'node-address.invalid'

/** @throws InputError with every problem */
export function nodeSettings(wish: NodeWish): NodeSettings {
  const problems = [...addressProblems(wish), ...pathProblems(wish), ...talosProblems(wish)]
  const isAuto = isAutomatic(wish)
  const own = `http://${isAuto ? stand : hostOf(wish.nodeIp)}:${wish.port}`
  const [first = own, ...rest] = wish.mirrors
  try {
    const { directories, hosts } = parseHostsWish({
      mirroredRegistries: wish.registries,
      mirrorTargets: [first, ...rest],
      resolveTags: wish.resolveTags,
      dialTimeout: wish.dialTimeout,
      basicAuth: wish.basicAuth,
    })
    if (problems.length === 0)
      return {
        platform: wish.platform,
        directories,
        hosts: hosts.map(host => ({ ...host, url: host.url.replace(stand, placeholder) })),
        configPath: wish.configPath ?? (wish.platform === 'talos' ? talosConfigPath : standardConfigPath),
        isAuto: isAuto && wish.mirrors.length === 0,
        keepLayers: wish.keepLayers,
        containerd: wish.containerd,
        talosPart: wish.talosPart,
      }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    problems.push(...error.problems)
  }
  throw new InputError(problems)
}

/** `auto`, or not said: then a text or a script has a place for it. */
const isAutomatic = ({ nodeIp }: NodeWish): boolean => nodeIp === undefined || nodeIp === 'auto' || nodeIp === placeholder

function hostOf(address = ''): string {
  const plain = address.replace(/^\[(.*)\]$/, '$1')
  return isIPv6(plain) ? `[${plain}]` : plain
}

const nodeIpFlag = '--node-ip'
const withoutScript: readonly Platform[] = ['talos', 'ignition']

function addressProblems(wish: NodeWish): readonly Problem[] {
  const { platform, nodeIp, mirrors, allowLoopback } = wish
  const no = (expected: string, message?: string): readonly Problem[] => [
    { code: 'node-address', where: nodeIpFlag, found: nodeIp ?? '', expected, ...(message === undefined ? {} : { message }) },
  ]
  const isAllowed = allowLoopback && platform === 'talos'
  if (allowLoopback && platform !== 'talos') return no('--allow-loopback with talos only')
  if (isAutomatic(wish)) {
    if (!withoutScript.includes(platform) || mirrors.length > 0) return []
    return no('an address', `${platform} cannot fill in the node address: give --node-ip (one patch per node)`)
  }
  const plain = (nodeIp ?? '').replace(/^\[(.*)\]$/, '$1')
  if (isIP(plain) === 0 || plain.includes('%')) return no('an address such as "10.0.0.7", or auto')
  if (isLoopback(plain) && !isAllowed)
    return no("the node's own address: on loopback only talos with --allow-loopback may be asked")
  if (/^(0\.0\.0\.0|::|(0+:){7}0+)$/.test(plain)) return no("the node's own address, not that of all interfaces")
  return []
}

/** 127.0.0.0/8, ::1, and the first written as the second. */
function isLoopback(address: string): boolean {
  if (!isIPv6(address)) return address.startsWith('127.')
  const host = new URL(`http://[${address}]`).hostname
  return host === '[::1]' || host.startsWith('[::ffff:7f')
}

/** What Talos writes by itself cannot be told otherwise. */
function talosProblems({ platform, resolveTags, basicAuth }: NodeWish): readonly Problem[] {
  if (platform !== 'talos') return []
  const problem = (where: string, found: string, expected: string): Problem => ({ code: 'talos-fixed', where, found, expected })
  return [
    ...(resolveTags ? [] : [problem('--resolve-tags', 'false', 'true: Talos always lets mirrors resolve tags')]),
    ...(basicAuth === undefined
      ? []
      : [problem('--basic-auth-dir', '', 'none: write it into machine.registries.config of Talos')]),
  ]
}

/** Paths stand in scripts and YAML as they are: nothing there may mean more. */
const plainPath = /^\/[A-Za-z0-9._/-]+$/

function pathProblems({ platform, configPath, talosPart }: NodeWish): readonly Problem[] {
  const isPlain = (path: string) => plainPath.test(path) && !path.split('/').includes('..')
  const problem = (where: string, found: string, expected: string): Problem => ({ code: 'node-path', where, found, expected })
  const problems: Problem[] = []
  if (configPath !== undefined && platform === 'talos')
    problems.push(
      problem('--config-path', configPath, 'none for talos: Talos writes the files itself, below /etc/cri/conf.d/hosts'),
    )
  else if (configPath !== undefined && !isPlain(configPath))
    problems.push(problem('--config-path', configPath, 'an absolute path such as "/etc/containerd/certs.d"'))
  const isPart = isPlain(talosPart) && (talosPart === standardTalosPart || talosPart.startsWith('/var/'))
  if (!isPart)
    problems.push(
      problem('--talos-part', talosPart, `${standardTalosPart}, or a path below /var: Talos does not boot with another`),
    )
  return problems
}
