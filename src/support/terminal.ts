/** What a terminal tells whoever draws on it. */
export interface TerminalEvents {
  /** Somebody has typed this, as the terminal sends it. */
  readonly typed: (text: string) => void;
  readonly resized: () => void;
  /** This process is about to be stopped by job control: the screen has to be left. */
  readonly leaving: () => void;
  /** It goes on: what the screen shows is not known. */
  readonly back: () => void;
}

/** A terminal from which every key comes at once and unechoed. */
export interface OpenTerminal {
  /** Stops this process, as Ctrl-Z does. */
  readonly suspend: () => void;
  /** Interrupts this process, as Ctrl-C does. */
  readonly interrupt: () => void;
  /** It is again as it was. */
  readonly close: () => void;
}

/** A terminal with a keyboard and a screen. */
export interface Terminal {
  /** In cells. */
  readonly size: () => { readonly columns: number; readonly rows: number };
  /** What is typed is for this process: it is not in the background. */
  readonly isOurs: () => boolean;
  readonly open: (events: TerminalEvents) => OpenTerminal;
}
