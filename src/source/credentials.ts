/** What opens a repository. It reaches git by files only the server may read, never by argv, and is gone when git has ended. */
export type Credential =
  | { readonly kind: 'token'; readonly user: string; readonly token: string }
  /** `knownHosts`: lines as ssh-keyscan prints them; a host that is not among them is refused. */
  | { readonly kind: 'ssh'; readonly privateKey: string; readonly knownHosts: string }

/** The credential that a tenant stored for a repository's address; null: none. */
export type Credentials = (tenant: string, url: string) => Promise<Credential | null>
