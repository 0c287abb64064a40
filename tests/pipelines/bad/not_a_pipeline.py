def pipeline():
    return 3
