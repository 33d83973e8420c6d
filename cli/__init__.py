"""The operator's command `imagetrail`.

`main` holds its words, `deployments` finds what it works on, and each other module is one thing an operator does.
"""
