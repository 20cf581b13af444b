// What an action writes, as the command that writes the same.
import { apiVersionOf } from '#kube/objects/resource.ts'
import type { ActionBody, ActionName } from '../contract.ts'
import type { Asked, Write, WrittenObject } from './write.ts'
import { writeOf } from './write-of.ts'

/** Where the chart puts Ballast. */
const standardNamespace = 'ballast-system'
/** A time that is not known yet: the shell's own. */
const timeOfShell = '"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'

/** The command of `action`, for whoever shows or prints it; the viewer is `local` and all is Ballast's standard namespace unless `asked` says otherwise. */
export function kubectlLine(action: ActionName, body: Partial<ActionBody>, asked: Partial<Asked> = {}): string {
  return kubectlText(writeOf(action, body, { viewer: 'local', ownNamespace: standardNamespace, ...asked }))
}

/** The command of a write: one line for a POSIX shell. Of a write that has none a comment that says so. */
export function kubectlText(write: Write): string {
  switch (write.verb) {
    case 'patch':
      return patchText(write)
    case 'create': {
      const { resource, kind, name } = write.of
      const object = { apiVersion: apiVersionOf(resource), kind, metadata: { name }, spec: write.spec }
      return `echo ${quoted(JSON.stringify(object))} | kubectl create -f -`
    }
    case 'delete':
      return `${command(write.of, 'delete')}`
    case 'reset':
      return '# nothing is written: the source of the twin is loaded anew'
  }
}

function patchText({ of, body }: Write & { readonly verb: 'patch' }): string {
  const { spec, metadata = {} } = body
  const { annotations = {}, resourceVersion } = metadata
  if (spec !== undefined || resourceVersion !== undefined)
    return `${command(of, 'patch')} --type=merge -p ${quoted(JSON.stringify(body))}`
  const pairs = Object.entries(annotations).map(([key, value]) =>
    value === null ? `${key}-` : `${key}=${value === '' ? timeOfShell : quoted(value)}`,
  )
  const overwrite = Object.values(annotations).some(value => value !== null) ? ' --overwrite' : ''
  return `${command(of, 'annotate')}${overwrite} ${pairs.join(' ')}`
}

function command({ kind, namespace, name }: WrittenObject, verb: string): string {
  const where = namespace === undefined ? '' : `-n ${quoted(namespace)} `
  return `kubectl ${where}${verb} ${kind.toLowerCase()} ${quoted(name)}`
}

/** A word for a POSIX shell: as it is where nothing in it means anything, else between single quotes. */
function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
