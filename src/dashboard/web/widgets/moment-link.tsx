import { momentPath } from '../../words/links.ts'
import { rfc3339 } from '../../words/time.ts'
import { onHost } from '../frame/base-path.ts'
import { useKey } from '../frame/keys.ts'
import { at } from '../frame/past.ts'
import { address } from '../frame/router.tsx'
import { now } from '../frame/time.ts'
import { CopyButton } from './copy-button.tsx'

/** The address of what is shown, as of now, with all filters: whoever follows it sees what is seen here. */
function momentAddress(): string {
  const { path, query } = address.peek()
  const text = query.toString()
  const moment = at.peek() ?? rfc3339(Math.floor(now.peek() / 1_000) * 1_000)
  return location.origin + onHost(momentPath(text === '' ? path : `${path}?${text}`, moment))
}

export function MomentLink() {
  useKey('.', 'Copy a link to this moment', () => document.querySelector<HTMLElement>('[data-moment-link] button')?.click())
  return (
    <span data-moment-link>
      <CopyButton label="Copy link to this moment" text={momentAddress} done="Link copied" />
    </span>
  )
}
