// Cookies that only this server reads.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 256 bits that nobody guesses. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Whether two secrets are the same, in a time that does not say how much of them is. */
export function isSameSecret(one: string, other: string): boolean {
  const [a, b] = [one, other].map(secret => createHash('sha256').update(secret).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}

/** The value of cookie `name` in a `Cookie` header; of two of that name neither. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  const found = (header ?? '')
    .split(';')
    .map(part => part.trim())
    .filter(part => part.startsWith(`${name}=`))
  return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined
}

interface CookieOptions {
  readonly path: string
  /** 0 takes it away; undefined: until the browser ends. */
  readonly maxAgeSeconds?: number
  readonly isSecure: boolean
}

/** A `Set-Cookie` value: no script reads it, no other site sends it. */
export function setCookie(name: string, value: string, { path, maxAgeSeconds, isSecure }: CookieOptions): string {
  const age = maxAgeSeconds === undefined ? [] : [`Max-Age=${Math.max(0, Math.floor(maxAgeSeconds))}`]
  return [`${name}=${value}`, `Path=${path}`, ...age, 'HttpOnly', ...(isSecure ? ['Secure'] : []), 'SameSite=Strict'].join('; ')
}
