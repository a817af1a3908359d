/** How a build's program behaves once it is started. Times in milliseconds from its start. */
export type Character =
  | { readonly kind: "good" }
  /** Listens only then. */
  | { readonly kind: "slow"; readonly startMs: number }
  | { readonly kind: "dies"; readonly afterMs: number }
  /** Well until then, and ill from then on. */
  | { readonly kind: "sickens"; readonly afterMs: number }
  /** Never well. */
  | { readonly kind: "ill" }
  /** Takes connections and says nothing. */
  | { readonly kind: "silent" }
  /** Takes no notice of TERM. */
  | { readonly kind: "stubborn" }
  /** Takes the whole machine along, at every start. */
  | { readonly kind: "kills-host"; readonly afterMs: number }
  /** Its start command ends with 1. */
  | { readonly kind: "start-fails" }
  /** Its start command never ends, and starts nothing. */
  | { readonly kind: "start-hangs" };

/** How one of its install steps goes. */
export type InstallCharacter =
  | { readonly kind: "works" }
  /** So many times on a host, and then it works. */
  | { readonly kind: "fails-first"; readonly times: number }
  | { readonly kind: "fails" }
  /** Each time. */
  | { readonly kind: "kills-agent" }
  | { readonly kind: "kills-host" }
  | { readonly kind: "hangs" };
