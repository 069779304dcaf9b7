# Made by `fliswarm keywords --actorkeys`, for python/actorkeys/fliswarm.py there.
KeysDictionary(
    "fliswarm",
    (1, 0),
    Key(
        'text',
        String(name="words") * (0,),
        help="Words for the operator; a camera's name first.",
    ),
    Key(
        'error',
        String(name="camera"), String(name="message"),
        help="What failed, and where: a camera's name, or the actor's own.",
    ),
    Key(
        'enabledNodes',
        String(name="node") * (0,),
        help='The enabled nodes.',
    ),
    Key(
        'node',
        String(name="node"), String(name="host"), String(name="engine"), Bool("F", "T", name="host_answers"), Bool("F", "T", name="engine_answers"),
        help="A node, its computer, its engine's address, and whether they answer.",
    ),
    Key(
        'container',
        String(name="node"), String(name="id"),
        help="The short id of a node's running container, or NA.",
    ),
    Key(
        'volume',
        String(name="node"), String(name="volume"), Bool("F", "T", name="exists"), String(name="device"),
        help='A volume of a node and what it stands on, or NA.',
    ),
    Key(
        'status',
        String(name="node"), String(name="camera"), String(name="model"), String(name="serial"), Int(name="fwrev"), Int(name="hwrev"), Int(name="hbin"), Int(name="vbin"), Int(name="visible_area_x0"), Int(name="visible_area_y0"), Int(name="visible_area_x1"), Int(name="visible_area_y1"), Int(name="image_area_x0"), Int(name="image_area_y0"), Int(name="image_area_x1"), Int(name="image_area_y1"), Float(name="temperature_ccd"), Float(name="temperature_base"), Float(name="exposure_time_left"), Float(name="cooler_power"),
        help="A camera's status; temperatures in Celsius, exposure_time_left in ms.",
    ),
    Key(
        'exposure_state',
        String(name="node"), String(name="camera"), String(name="state"), String(name="image_type"), Float(name="remaining_time"), Float(name="exposure_time"), Int(name="current_stack"), Int(name="n_stack"),
        help="How far a camera's exposure is; times in seconds.",
    ),
    Key(
        'filename',
        String(name="node"), String(name="camera"), String(name="path"),
        help='A file that a camera has written.',
    ),
    Key(
        'filename_bundle',
        String(name="path") * (0,),
        help='The files of one talk, all cameras together, just before its end.',
    ),
    Key(
        'yourUserID',
        Int(name="user"),
        help='The number of a user who has just connected.',
    ),
    Key(
        'num_users',
        Int(name="users"),
        help='How many users are connected.',
    ),
    Key(
        'UserInfo',
        Int(name="user"), String(name="address"),
        help='A connected user.',
    ),
    Key(
        'version',
        String(name="version") * (0,),
        help="A version; a camera's name first.",
    ),
    Key(
        'help',
        String(name="line") * (0,),
        help='One line of help.',
    ),
    Key(
        'nodeState',
        String(name="node"), String(name="state"), String(name="layer"), String(name="cause"), String(name="since"),
        help='The state of a node, the lowest layer that fails (host, engine, container, actor, camera), the cause, and since when (UTC).',
    ),
    Key(
        'factAge',
        String(name="node"), Float(name="engine"), Float(name="camera"),
        help="How long ago, in seconds, a node's engine and container were looked at (and its computer, where the engine did not answer), and its camera actor last answered; nan for never.",
    ),
    Key(
        'finding',
        String(name="place"), String(name="check"), String(name="layer"), String(name="result"), String(name="found"), String(name="fix"),
        help='What the doctor found at a node or at the manager: passed, warning, failed or skipped, in words, and what to do about it.',
    ),
    Key(
        'drained',
        String(name="node"), String(name="reason"), String(name="by"), String(name="since"),
        help='A node that commands to all or to its category leave out: why, who said so, and since when (UTC). All three are empty when it is drained no longer.',
    ),
    Key(
        'configDiffers',
        String(name="node"), String(name="what"),
        help='In what a node is not as the configuration has it, and what puts it right.',
    ),
    Key(
        'verdict',
        String(name="node"), String(name="verdict"), Float(name="seconds"), String(name="reason"),
        help='How a command ended on a node: ok, failed, silent, lost, unreachable, timeout, busy, disabled.',
    ),
    Key(
        'log',
        String(name="node"), String(name="time"), String(name="stream"), String(name="text"),
        help="A line that a camera has printed: its time (UTC, the node's clock), out, err or === (what fliswarm says of the log), and the text.",
    ),
    Key(
        'unknownCommand',
        String(name="commander"), String(name="command"), String(name="nodes"), String(name="begun"),
        help='A command that ran when the manager was killed, for which nodes, and when it began (UTC): what became of it is unknown. Told after the next start, and for a minute to those who connect.',
    ),
)
