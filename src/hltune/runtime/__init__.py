"""What any program of this kind needs: worker processes, files, progress, interrupts, the installed wheel."""
