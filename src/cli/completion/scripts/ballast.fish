# fish completion for ballast. It holds no word of a command: the program is asked at each press of the key.

function __ballast_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l answer ($words[1] __complete $words[2..] $current 2>/dev/null)
    or return
    # A value that stands with its option is completed together with it.
    set -l before (string match --regex -- '^-[^=]*=' $current)
    for candidate in $answer[1..-2]
        echo "$before$candidate"
    end
    switch $answer[-1]
        case ':0'
            __fish_complete_path $current
        case ':16'
            __fish_complete_directories $current ''
    end
end

complete --command ballast --no-files --keep-order --arguments '(__ballast_complete)'
complete --command kubectl-ballast --no-files --keep-order --arguments '(__ballast_complete)'
